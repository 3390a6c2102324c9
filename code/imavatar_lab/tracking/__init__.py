"""How well heads are tracked: against synthetic people, and against detections of real ones."""

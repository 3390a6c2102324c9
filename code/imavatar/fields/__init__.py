"""The learned functions of a canonical point."""

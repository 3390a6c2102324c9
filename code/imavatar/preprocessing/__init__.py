"""From a video to a subject folder (SPEC: data layout)."""

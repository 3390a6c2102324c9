"""From a video to a subject folder (docs/data_format.md)."""

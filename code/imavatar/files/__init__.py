"""Files on disk: replaced whole or not at all, folders that one process at a time works in."""

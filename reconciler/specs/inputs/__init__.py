"""Input files: find them, read them once, check every line."""

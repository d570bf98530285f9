"""Input files: find them, read each once, check every line."""

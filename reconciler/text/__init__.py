"""Text for readers: counts, units, timestamps, suggestions, and removal of control characters. Pure."""

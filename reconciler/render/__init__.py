"""Turn values into the text that a reader sees on stdout, stderr and in files."""

"""Values in, strings out: what a reader sees on stdout, stderr and in files."""

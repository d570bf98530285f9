"""What commands write: results on stdout, messages and progress on stderr."""

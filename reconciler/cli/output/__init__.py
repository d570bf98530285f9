"""Write results to stdout, messages and progress to stderr."""

"""Events, the log that they are written to, and progress."""

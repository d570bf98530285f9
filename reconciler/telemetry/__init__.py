"""Events, where they are written, and progress."""

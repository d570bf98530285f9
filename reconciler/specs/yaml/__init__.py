"""Read YAML text into a tree whose nodes have positions."""

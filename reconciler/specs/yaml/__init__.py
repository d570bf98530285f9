"""YAML text to a tree whose nodes know their position in the file."""

"""Specs: YAML text with positions in, checked `JobSpec`s out."""

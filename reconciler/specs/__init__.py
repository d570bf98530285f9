"""Specs: read YAML with positions, and return checked `JobSpec`s."""

"""A whole run: gather, plan, apply, wait."""

"""Build a release: twice, with the same bytes, and with nothing in it that is not listed."""

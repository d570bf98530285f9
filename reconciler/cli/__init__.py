"""The command line: one small file a command; each gathers, calls, renders and returns its exit code.

`main` is the entry and the one error boundary, `options` what many commands share, `session` opens what a command
works with, `declare` reads what git says.
Command modules import click alone at the top; everything heavy is imported when a command runs.
"""

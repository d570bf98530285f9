"""The command line: one small file a command; each gathers, calls, renders and returns its exit code.

`main` is the entry and the one error boundary, `options` what many commands share, `host` everything that comes from
the process and the machine, `session` what a command works with, `gather` the first half of `plan` and `apply`.
Command modules import click alone at the top; everything heavy is imported when a command runs.
"""

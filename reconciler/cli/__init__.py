"""The command line: one small file per command; each gathers, calls, renders and returns its exit code.

`main` is the entry and the one error boundary, `host` everything that comes from the process and the machine,
`commands` one file per command, `session` what a command works with, `output` what it writes, `params` the options that
commands share. Command modules import click alone at the top; everything heavy is imported when a command runs.
"""

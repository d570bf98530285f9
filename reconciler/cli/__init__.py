"""The command line: one small module per command; each gathers, calls, renders and returns its exit code.

`main` is the entry point and the one error boundary. `commands` has one module per command, `session` opens the
project, the API and the ledger, `output` writes results, `params` has the shared options. `main` imports the module
of a command when it runs; a module with several commands imports what only one of them needs in that one.
"""

"""Ends of jobs, told once to whoever wants to know: `on_end` in `reconciler.yaml`.

`ends` says which are due and what is said of them, `tell` claims them in the ledger and calls, `command` runs a
command. A hook is a guest: whatever it does, the run goes on.
"""

"""Decides what to do with each job, from specs, workspace and ledger. Pure."""

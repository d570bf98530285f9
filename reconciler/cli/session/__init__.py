"""Open a command's project, target, API and ledger, and the steps that commands share."""

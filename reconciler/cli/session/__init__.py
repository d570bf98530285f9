"""What a command works with: project, target, API, ledger, and the steps that commands share."""

"""The ledger: a record of intents and their outcomes. An aid; the workspace is the truth.

`lines` is the format, `memory` folds lines into a frozen value for the planner, `file` appends durably, reads files
that a crash may have cut off, and allows one writer at a time on this host. Without the folder, the tool works from the
tags in the workspace alone, with weaker duplicate protection.
"""

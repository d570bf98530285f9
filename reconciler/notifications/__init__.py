"""Notifications about ended jobs: `on_end` in `reconciler.yaml`, once per job.

`due` finds the jobs to report and builds the messages, `deliver` claims each in the ledger and sends it. A
failed notification never ends the run.
"""

"""Notes on a `rerun` with a period whose input changes by itself: the calendar and the new input each submit a job.

If a script replaces a file every night, `rerun: {every: day}` submits yesterday's file at midnight, and the new one
later. The jobs of the name show it: one period has two inputs, or the input has changed before.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model import JobSpec, OwnedJob


def note(spec: JobSpec, jobs: Sequence[OwnedJob]) -> str:
    """Return a note on a new job of `spec` if earlier jobs of the name show such an input, "" otherwise."""
    if not spec.period:
        return ""
    keys = {owned.tags.run_key for owned in jobs}
    works = {key.work for key in spec.run_keys}
    if any(key.rerun == spec.rerun and key.work not in works for key in keys):
        return (
            f"`rerun: {{every: {spec.period}}}` has already submitted the earlier input in this period: if the input "
            "changes each time, remove `rerun`"
        )
    if any(key.work in works for key in keys) and any(key.work not in works for key in keys):
        return (
            f"the same input as before, for a new period ({spec.period}), but the input has changed in the past: if a "
            "new one is due, remove `rerun`, since a changed input is submitted without it"
        )
    return ""

"""The search for the job of a create whose response was lost, by its op.

A job in any page of the list proves that the create took effect. Only a complete list, read after the settle time,
proves that it did not.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.errors import ReconcilerError
from reconciler.model import Job, tags
from reconciler.workspace import listing

FIRST_WAIT_SECONDS: Final = 1.0
"""Seconds before the second look at the list; each further wait is twice as long."""
MAX_WAIT_SECONDS: Final = 15.0


def search_until_deadline(run: RunContext[Writer], op: str, *, began: float) -> Job | None:
    """Return the job once the newest page of the list shows it; None if the settle time ends first.

    Args:
        run: what the creates of a run share.
        op: names the create.
        began: on the monotonic clock: when the response was lost.
    """
    env = run.env
    wait = FIRST_WAIT_SECONDS
    while True:
        found = newest(run, op)
        if found:
            return found
        left = began + run.limits.settle_seconds - env.monotonic()
        if left <= 0 or env.stop.is_set():
            return None
        env.sleep(min(wait, left))
        wait = min(wait * 2, MAX_WAIT_SECONDS)


def newest(run: RunContext[Writer], op: str) -> Job | None:
    """Look for the job on the newest page. Its presence is proof; its absence is not."""
    with suppress(ReconcilerError):
        page = run.api.list_jobs(page=0, order_by="-created")
        return next((job for job in page.jobs if has_op(job, op)), None)
    return None


def search_complete_list(run: RunContext[Writer], op: str) -> Job | None:
    """Look for the job in a complete list; None proves that it was never created.

    Raises:
        ListingError: the list of jobs could not be read whole.
        ApiError: the API could not be read.
    """
    return next((job for job in listing.list_all(run) if has_op(job, op)), None)


def has_op(job: Job, op: str) -> bool:
    """Return whether a job's tags contain the op, even if other tags were altered."""
    return f"op={op}" in str(job.metadata.get(tags.RUN, "")).split(" ")

"""The search for the job of a create whose response was lost, by its op.

A job in any page of the list proves that the create took effect. Only a complete list, read after the settle time,
proves that it did not.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.errors import ListingError, ReconcilerError
from reconciler.execution.pauses import Pauses
from reconciler.model import Job, tags
from reconciler.workspace import listing


def search_until_deadline(run: RunContext[Writer], op: str, *, began: float) -> Job | None:
    """Return the job once the newest page of the list shows it; None if the settle time ends first.

    Args:
        run: what the creates of a run share.
        op: names the create.
        began: on the monotonic clock: when the response was lost.
    """
    pauses = Pauses(run.env, until=began + run.limits.settle_seconds)
    while (found := newest(run, op)) is None and pauses.wait():
        pass
    return found


def newest(run: RunContext[Writer], op: str) -> Job | None:
    """Look for the job on the newest page. Its presence is proof; its absence is not."""
    with suppress(ReconcilerError):
        page = run.api.list_jobs(page=0, order_by="-created")
        return _with_op((*page.jobs, *(row.job for row in page.odd if row.has_id)), op)
    return None


def search_complete_list(run: RunContext[Writer], op: str) -> Job | None:
    """Look for the job in a complete list; None means that it was never created.

    A list of several pages is read twice, as before any create: a job may move unseen between two pages. Raises
    `ListingError` if the list of jobs could not be read whole, or a job in it may be the one that is sought; `ApiError`
    if the API could not be read.
    """
    for _ in range(2):
        listed = listing.whole(run)
        if found := _with_op((*listed.jobs, *(row.job for row in listed.odd if row.has_id)), op):
            return found
        for row in listed.odd:
            if row.has_lost_tags or (not row.has_id and op in tags.ops(row.job)):
                message = f"job {row.job.id} cannot be read, so it may be the one that was created"
                raise ListingError(message, hint="run again in a moment")
        if listed.pages == 1:
            break
    return None


def _with_op(jobs: Iterable[Job], op: str) -> Job | None:
    return next((job for job in jobs if op in tags.ops(job)), None)

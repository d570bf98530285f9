"""After a create: find the job if the response was lost, wait until the list shows it, and find duplicates of it.

A job is found by its op. In any page of the list it proves that the create took effect. Only a complete list, read
after the settle time, proves that it did not.

A later run without this ledger sees only the list, so this run ends when the list shows the jobs that it created. If
another runner created the same work meanwhile, the older job stays, and each run cancels its own younger ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from reconciler.api.client import Reader, Writer
from reconciler.context import ApiT, RunContext
from reconciler.environment import Environment
from reconciler.errors import ListingError, ReconcilerError
from reconciler.model import Job, Observed, Phase, tags
from reconciler.planning.actions import Cancel, Plan
from reconciler.plans.outcomes import Created, Outcome
from reconciler.workspace import listing


@dataclass(slots=True)
class Pauses:
    """Pauses, each twice as long as the one before."""

    env: Environment
    until: float
    """On the monotonic clock: there is no pause after it."""
    seconds: float = 1.0
    """The length of the next pause."""
    longest: float = 15.0

    def wait(self) -> bool:
        """Pause and return True; return False at once if the time is over or the run was asked to stop."""
        left = self.until - self.env.monotonic()
        if left <= 0 or self.env.stop.is_set():
            return False
        self.env.sleep(min(self.seconds, left))
        self.seconds = min(self.seconds * 2, self.longest)
        return True


def search_until_deadline(run: RunContext[Writer], op: str, *, began: float) -> Job | None:
    """Return the job once the newest page of the list shows it; None if the settle time ends first.

    `began` is on the monotonic clock: when the response was lost.
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


def until_listed(
    run: RunContext[ApiT], look: Callable[[], Observed], outcomes: Iterable[Outcome]
) -> Observed:
    """Read the workspace until it shows every created job, at most for the settle time; return the last result.

    `look` reads the whole workspace. Raises `ApiError` if it cannot be read.
    """
    made = frozenset(outcome.job.id for outcome in outcomes if isinstance(outcome, Created))
    until = run.env.monotonic() + run.limits.settle_seconds
    pauses = Pauses(run.env, until=until, seconds=0.5, longest=8.0)
    observed = look()
    while (missing := made - {job.id for job in observed.our_jobs}) and pauses.wait():
        observed = look()
    if missing:
        run.env.log("jobs.not_listed_yet", job_ids=sorted(missing))
    return observed


def own_duplicates(plan: Plan, outcomes: Iterable[Outcome], reader: Reader) -> Plan:
    """Reduce a plan to the cancels of duplicates that this run created, if the job that stays really exists.

    Raises `ApiError` if a job that would stay cannot be read.
    """
    ops = {outcome.op for outcome in outcomes if isinstance(outcome, Created)}
    there = (Phase.ACTIVE, Phase.SUCCEEDED)
    decisions = (
        replace(
            decision,
            actions=tuple(
                cancel
                for cancel in decision.of(Cancel)
                if cancel.duplicate_of
                and cancel.owned.tags.op in ops
                and reader.get_job(cancel.duplicate_of.id).phase in there
            ),
        )
        for decision in plan.decisions
    )
    return replace(plan, decisions=tuple(decision for decision in decisions if decision.actions))

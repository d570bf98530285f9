"""How far each name is, by its standing in a plan. Pure.

A name that a person has to look at is ATTENTION whatever its standing, unless it only waits for a status that is not
known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reconciler.model import Job
from reconciler.planning.standing import Readiness, Standing
from reconciler.plans.document import CreateDoc, DecisionDoc, JobDoc


def readiness(decision: DecisionDoc, held: Collection[str] = frozenset()) -> Readiness:
    """Return how far one name is.

    Args:
        decision: the decision about it.
        held: names that the quota holds and that the waiting command may create once there is room.
    """
    standing = Standing(decision.standing)  # type: ignore[call-arg]  # a look-up by value
    has_room_later = standing is Standing.NO_ROOM and decision.name in held and not decision.attention
    if standing is Standing.UNKNOWN_STATUS or has_room_later:
        return Readiness.RUNNING
    if decision.attention:
        return Readiness.ATTENTION
    if standing is Standing.SUSPENDED and decision.pending:
        return Readiness.PENDING
    return standing.readiness


def readiness_by_name(
    decisions: Iterable[DecisionDoc], held: Collection[str] = frozenset()
) -> Mapping[str, Readiness]:
    """Return how far every declared name is."""
    return {it.name: readiness(it, held) for it in decisions if it.declared_at}


def awaited(
    decisions: Iterable[DecisionDoc], held: Collection[str] = frozenset()
) -> Mapping[str, tuple[str, ...]]:
    """Return the jobs to wait for: job id to names. A hold without a job has none."""
    found: dict[str, tuple[str, ...]] = {}
    for it in decisions:
        action, running = it.actions[0], it.declared_at and readiness(it, held) is Readiness.RUNNING
        if running and not isinstance(action, CreateDoc) and action.job is not None:
            found[action.job.id] = (*found.get(action.job.id, ()), it.name)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """The progress of one job, or of several together."""

    name: str
    completed: int
    failed: int
    total: int | None
    """None until the API has counted the requests."""
    seconds_left: float | None
    """Estimated from the pace so far; None if nothing is completed yet."""

    @property
    def share(self) -> float:
        """The completed share, 0 to 1; 0 if the total is not known."""
        return min(1.0, self.completed / self.total) if self.total else 0.0


def known_total(job: Job | JobDoc) -> int:
    """Return how many requests a job has at least: the API's total may lag behind its count of answers."""
    return max(job.total_requests, job.completed_requests)


def job_progress(name: str, job: Job, now: float) -> JobProgress:
    """Return the progress of a job.

    Args:
        name: the name to show.
        job: as the API returned it.
        now: wall clock, Unix seconds.
    """
    total = known_total(job) or None
    left = None
    if job.started_at is not None and total and job.completed_requests and now > job.started_at:
        left = (now - job.started_at) / job.completed_requests * (total - job.completed_requests)
    return JobProgress(
        name=name,
        completed=job.completed_requests,
        failed=job.failed_requests,
        total=total,
        seconds_left=left,
    )


def aggregate(parts: Iterable[JobProgress], name: str) -> JobProgress:
    """Return several as one: they run concurrently, so the slowest one determines the time left."""
    found = tuple(parts)
    left = [it.seconds_left for it in found if it.seconds_left is not None]
    return JobProgress(
        name=name,
        completed=sum(it.completed for it in found),
        failed=sum(it.failed for it in found),
        total=None if any(it.total is None for it in found) else sum(it.total or 0 for it in found) or None,
        seconds_left=max(left) if left else None,
    )

"""How far each name is from its end, as a plan tells it. Pure.

the first action about the name                     the stand
Keep `succeeded`, `record_gone`                     DONE
Keep `running`; Hold `stopping`, `waiting`          RUNNING
Hold `unknown_status`                               RUNNING: a word that is not known is not the end
Hold `unsettled`                                    RUNNING: it may turn up, until its time is over
Hold `quota` that this run may buy later            RUNNING
Create, Cancel, any other Hold                      PENDING: waiting alone changes nothing, an apply would
anything that a person should look at               ATTENTION
Hold `suspended`; names that begin later            IDLE: nothing is wanted of them
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from reconciler.actions import Reason
from reconciler.document import CancelDoc, CreateDoc, DecisionDoc, HoldDoc, KeepDoc
from reconciler.model import Job


class Stand(StrEnum):
    """How far a name is from its end."""

    DONE = "done"
    RUNNING = "running"
    PENDING = "pending"
    ATTENTION = "attention"
    IDLE = "idle"


_HOLDS: Final = {
    Reason.STOPPING: Stand.RUNNING,
    Reason.WAITING: Stand.RUNNING,
    Reason.UNSETTLED: Stand.RUNNING,
    Reason.SUSPENDED: Stand.IDLE,
}


def stand(decision: DecisionDoc, held: Collection[str] = frozenset()) -> Stand:
    """Return how far one name is.

    Args:
        decision: what would be done about it.
        held: names that the quota holds up and that whoever waits may buy once there is room.
    """
    action = decision.actions[0]
    if isinstance(action, HoldDoc) and (
        action.reason == Reason.UNKNOWN_STATUS
        or (action.reason == Reason.QUOTA and decision.name in held and not action.attention)
    ):
        return Stand.RUNNING
    if decision.attention:
        return Stand.ATTENTION
    match action:
        case KeepDoc():
            return Stand.RUNNING if action.reason == Reason.RUNNING else Stand.DONE
        case HoldDoc():
            return _HOLDS.get(Reason(action.reason), Stand.PENDING)
        case CreateDoc() | CancelDoc():
            return Stand.PENDING
        case _:
            assert_never(action)


def stands(decisions: Iterable[DecisionDoc], held: Collection[str] = frozenset()) -> Mapping[str, Stand]:
    """Return how far every declared name is."""
    return {it.name: stand(it, held) for it in decisions if it.declared_at}


def awaited(decisions: Iterable[DecisionDoc], held: Collection[str] = frozenset()) -> Mapping[str, str]:
    """Return the jobs whose end is waited for: job id to name. A hold that no job explains has none."""
    return {
        action.job.id: it.name
        for it in decisions
        if it.declared_at and stand(it, held) is Stand.RUNNING
        for action in it.actions[:1]
        if not isinstance(action, CreateDoc) and action.job is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one job, or several together, have come."""

    name: str
    completed: int
    failed: int
    total: int | None
    """None, or nothing to divide by, until the API has counted."""
    seconds_left: float | None
    """As the pace so far promises; None where there is none yet."""

    @property
    def share(self) -> float:
        """How much is done, 0 to 1; 0 where the total is not known."""
        return min(1.0, self.completed / self.total) if self.total else 0.0


def progress(name: str, job: Job, now: float) -> Progress:
    """Return how far a job has come.

    Args:
        name: what it is called here.
        job: as the API returned it.
        now: wall clock, Unix seconds.
    """
    total = max(job.total_requests, job.completed_requests) or None
    left = None
    if job.started_at is not None and total and job.completed_requests and now > job.started_at:
        left = (now - job.started_at) / job.completed_requests * (total - job.completed_requests)
    return Progress(
        name=name,
        completed=job.completed_requests,
        failed=job.failed_requests,
        total=total,
        seconds_left=left,
    )


def together(parts: Iterable[Progress], name: str) -> Progress:
    """Return several as one: they run side by side, so the slowest says when all are done."""
    found = tuple(parts)
    left = [it.seconds_left for it in found if it.seconds_left is not None]
    return Progress(
        name=name,
        completed=sum(it.completed for it in found),
        failed=sum(it.failed for it in found),
        total=None if any(it.total is None for it in found) else sum(it.total or 0 for it in found) or None,
        seconds_left=max(left) if left else None,
    )

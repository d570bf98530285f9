"""How far each name is, by its standing in a plan. Pure.

A name that a person has to look at is ATTENTION whatever its standing, unless it only waits for a status that is not
known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from reconciler.model import Job
from reconciler.planning.actions import Create, Decision, Hold, Keep
from reconciler.planning.standing import Readiness, Standing
from reconciler.plans.action_documents import CreateDoc, JobDoc
from reconciler.plans.document import DecisionDoc


def readiness(decision: DecisionDoc, held: Collection[str] = frozenset()) -> Readiness:
    """Return how far one name is; `held` are those that the waiting command may create once the quota has room."""
    standing = Standing(decision.standing)  # type: ignore[call-arg]  # a look-up by value
    has_room_later = standing is Standing.NO_ROOM and decision.name in held and not decision.attention
    if standing is Standing.UNKNOWN_STATUS or has_room_later:
        return Readiness.RUNNING
    if decision.attention:
        return Readiness.ATTENTION
    if standing is Standing.SUSPENDED and decision.pending:
        return Readiness.PENDING
    return standing.readiness


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


_PASSES: Final = {
    Standing.NO_ROOM: "when there is room",
    Standing.WAITING: "when another job has ended",
    Standing.STOPPING: "when its job has ended",
    Standing.UNSETTLED: "when the outcome of its create is known",
    Standing.ANSWERS_LATE: "when its results are complete",
}
"""What passes by itself, after which another apply goes on."""


def again(decision: Decision) -> str:
    """Return when another apply continues the work of a name; "" if none is needed for that."""
    match next(iter(decision.actions), None):
        case Create(part=part) if part is not None and part.held:
            return "when its job has ended"
        case Hold(job=job, attention=False) if decision.standing in _PASSES:
            return f"when {job.short_id} has ended" if job else _PASSES[decision.standing]
        case Keep(job=Job() as job) if decision.standing is Standing.RUNNING and decision.states:
            return f"when {job.short_id} has ended" if decision.states.new else ""
        case _:
            return ""


def known_total(job: Job | JobDoc) -> int:
    """Return how many requests a job has at least: the API's total may lag behind its count of answers."""
    return max(job.total_requests, job.completed_requests)

"""Find the pending notifications, by the lines of the ledger, and build their documents. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import msgspec
from msgspec import structs

from reconciler.documents.notification import CountsDoc, EndDoc
from reconciler.ledger.lines import (
    Line,
    NotificationClaimed,
    NotificationDelivered,
    NotificationLine,
    NotificationsEnabled,
)
from reconciler.model import Job, OwnedJob, RunKey, Target, completeness
from reconciler.planning.standing import Readiness, Standing
from reconciler.plans import name_status
from reconciler.plans.action_documents import HoldDoc, KeepDoc
from reconciler.plans.document import DecisionDoc
from reconciler.plans.planned_run import PlannedRun
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

MAX_FAILURES: Final = 20
"""Failures of one notification after which it is abandoned."""
_SETTLED: Final = (Readiness.DONE, Readiness.ATTENTION, Readiness.IDLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """The state of the notification of one ended job."""

    delivered: bool = False
    failures: int = 0
    claimed_until: float = 0.0
    """Unix seconds until which a run has claimed it; 0 if none has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationLog:
    """All notifications. Neither the order nor the repetition of lines matters."""

    since: float | None = None
    """Unix seconds: when notifications were enabled; jobs that ended before get none. None if they never were."""
    deliveries: Mapping[str, DeliveryState] = field(default_factory=dict)
    """By job id: the notifications that were claimed or delivered."""


def read_notifications(lines: Iterable[Line]) -> NotificationLog:
    """Fold ledger lines into the state of all notifications.

    A failure releases only the claim of its own run, because the clocks of two hosts do not show which came first.
    """
    relevant = {line for line in lines if isinstance(line, NotificationLine)}
    deliveries: dict[str, DeliveryState] = defaultdict(DeliveryState)
    failed: dict[tuple[str, str], float] = {}
    for line in relevant:
        if isinstance(line, NotificationDelivered):
            end = deliveries[line.job_id]
            if line.error:
                deliveries[line.job_id] = replace(end, failures=end.failures + 1)
                by = line.job_id, line.run_id
                failed[by] = max(line.at, failed.get(by, 0.0))
            else:
                deliveries[line.job_id] = replace(end, delivered=True)
    for line in relevant:
        if isinstance(line, NotificationClaimed) and failed.get((line.job_id, line.run_id), -1.0) < line.at:
            end = deliveries[line.job_id]
            deliveries[line.job_id] = replace(end, claimed_until=max(end.claimed_until, line.at + line.lease))
    since = min((line.at for line in relevant if isinstance(line, NotificationsEnabled)), default=None)
    return NotificationLog(since=since, deliveries=dict(deliveries))


def ended_at(job: Job) -> int:
    """Return when a job ended, or the latest earlier time that the API reports; Unix seconds."""
    return job.completed_at or job.started_at or job.created_at


class WorkEnd(NamedTuple):
    """The end of a work."""

    owned: OwnedJob
    """Its last job."""
    decision: DecisionDoc | None = None
    """About the name that wants the work; None if no spec does."""

    @property
    def hold(self) -> HoldDoc | KeepDoc | None:
        """The action that a person has to see; None if the work is complete, or not wanted."""
        first = next(iter(self.decision.actions), None) if self.decision else None
        return (
            first if isinstance(first, HoldDoc) or (isinstance(first, KeepDoc) and first.attention) else None
        )


def settled(planned: PlannedRun) -> list[WorkEnd]:
    """Return the end of every work that goes on neither by itself nor with an apply."""
    decisions = {it.name: it for it in planned.document.decisions}
    wanting = {key: spec.name for spec in planned.declared.specs for key in spec.run_keys}
    jobs: dict[RunKey, list[OwnedJob]] = defaultdict(list)
    for owned in planned.observed.owned:
        jobs[owned.tags.run_key].append(owned)
    found = []
    for key, several in jobs.items():
        decision = decisions.get(wanting.get(key, ""))
        rests = decision is not None and (
            name_status.readiness(decision) in _SETTLED or decision.standing == Standing.HELD_BACK
        )
        if all(it.phase.ended for it in several) and (rests or key not in wanting):
            last = max(several, key=lambda it: (it.completes_the_work, it.job.age_key))
            found.append(WorkEnd(last, decision))
    return found


def pending_notifications(
    ends: Iterable[WorkEnd], notified: NotificationLog, *, since: float, now: float
) -> list[WorkEnd]:
    """Return the ends with a pending notification: those with the fewest failures first, then the oldest.

    Jobs that ended before `since` (Unix seconds, like `now`) get none; a time in the ledger takes precedence.
    """
    since = int(since if notified.since is None else notified.since)  # the API's times are whole seconds
    waiting = [
        (delivery.failures, ended_at(end.owned.job), end.owned.job.id, end)
        for end in ends
        if end.owned.phase.ended and ended_at(end.owned.job) >= since
        for delivery in [notified.deliveries.get(end.owned.job.id, DeliveryState())]
        if not delivery.delivered and delivery.failures < MAX_FAILURES and delivery.claimed_until <= now
    ]
    return [end for *_, end in sorted(waiting, key=lambda row: row[:3])]


def document(end: WorkEnd, target: Target, *, run_id: str) -> EndDoc:
    """Return the notification about the end of a work."""
    owned, hold = end.owned, end.hold
    job, tags = owned.job, owned.tags
    ok = completeness.fetchable_answers(job)
    counted = [f"{ok:,} ok"]
    counted += [f"{job.failed_requests:,} failed"] if job.failed_requests else []
    counted += [f"{owned.missing:,} without an answer"] if owned.missing else []
    state = "held" if hold else "complete" if end.decision else "ended"
    states = end.decision.states if end.decision else None
    whole = (
        f"; {states.answered:,} of {states.of:,} answered in {pluralize(tags.attempt, 'part')}"
        if states
        else ""
    )
    why = f": {hold.detail or hold.reason}" if hold else f": {job.errors[0]}" if job.errors else ""
    requests = CountsDoc(total=owned.requests, ok=ok, failed=job.failed_requests, missing=owned.missing)
    said = f"{tags.project}: {tags.name} {state}, {job.status} ({', '.join(counted)})"
    return msgspec.convert(
        owned.facts()
        | structs.asdict(target)
        | {
            "id": f"{job.id}:{job.status}",
            "state": state,
            "why": hold.detail if hold else "",
            "hint": hold.hint if isinstance(hold, HoldDoc) else "",
            "states": states,
            "text": clean(f"{said}{whole if owned.is_part else ''}{why}"),
            "requests": requests,
            "commit": tags.source.commit,
            "actor": tags.source.actor,
            "run_url": tags.source.run_url,
            "sent_by": run_id,
        },
        EndDoc,
    )

"""Find the pending notifications, by the lines of the ledger, and build their documents. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

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
from reconciler.model import Job, OwnedJob, Target, completeness
from reconciler.text.sanitize import clean

MAX_FAILURES: Final = 20
"""Failures of one notification after which it is abandoned."""


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


def pending_notifications(
    jobs: Iterable[OwnedJob], notified: NotificationLog, *, since: float, now: float
) -> list[OwnedJob]:
    """Return the ended jobs with a pending notification: those with the fewest failures first, then the oldest.

    Jobs that ended before `since` (Unix seconds, like `now`) get none; a time in the ledger takes precedence.
    """
    since = int(since if notified.since is None else notified.since)  # the API's times are whole seconds
    found = [
        (notified.deliveries.get(owned.job.id, DeliveryState()), owned)
        for owned in jobs
        if owned.phase.ended and ended_at(owned.job) >= since
    ]
    waiting = [
        (delivery.failures, ended_at(owned.job), owned.job.id, owned)
        for delivery, owned in found
        if not delivery.delivered and delivery.failures < MAX_FAILURES and delivery.claimed_until <= now
    ]
    return [owned for *_, owned in sorted(waiting, key=lambda row: row[:3])]


def document(owned: OwnedJob, target: Target, *, run_id: str) -> EndDoc:
    """Return the notification about an ended job."""
    job, tags = owned.job, owned.tags
    ok = completeness.fetchable_answers(job)
    counted = [f"{ok:,} ok"]
    counted += [f"{job.failed_requests:,} failed"] if job.failed_requests else []
    counted += [f"{owned.missing:,} without an answer"] if owned.missing else []
    why = f": {job.errors[0]}" if job.errors else ""
    requests = CountsDoc(total=owned.requests, ok=ok, failed=job.failed_requests, missing=owned.missing)
    return msgspec.convert(
        owned.facts()
        | structs.asdict(target)
        | {
            "id": f"{job.id}:{job.status}",
            "text": clean(f"{tags.project}: {tags.name} ended, {job.status} ({', '.join(counted)}){why}"),
            "requests": requests,
            "commit": tags.source.commit,
            "actor": tags.source.actor,
            "run_url": tags.source.run_url,
            "sent_by": run_id,
        },
        EndDoc,
    )

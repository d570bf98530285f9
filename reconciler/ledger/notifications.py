"""Which notifications were delivered to `on_end`, from the ledger's lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.ledger.lines import (
    Line,
    NotificationClaimed,
    NotificationDelivered,
    NotificationLine,
    NotificationsEnabled,
)


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

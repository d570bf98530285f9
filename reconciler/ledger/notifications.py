"""Which ends of jobs were told to `on_end`, as the ledger's lines say it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.ledger.lines import Line, NotificationClaimed, NotificationDelivered, NotificationsEnabled


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """How far telling the end of one job has come."""

    delivered: bool = False
    failures: int = 0
    claimed_until: float = 0.0
    """Unix seconds until which a run has it to itself; 0 where none has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationLog:
    """What was told. True whatever the order of the lines, and however often each is there."""

    since: float | None = None
    """When telling began, Unix seconds: ends before are not told. None where it never did."""
    deliveries: Mapping[str, DeliveryState] = field(default_factory=dict)
    """By job id, those that were claimed or told."""


def read_notifications(lines: Iterable[Line]) -> NotificationLog:
    """Fold ledger lines into what was told.

    A failure gives back the claim of its own run and no other: the clocks of two hosts do not say which came first.
    """
    relevant = {
        line
        for line in lines
        if isinstance(line, NotificationsEnabled | NotificationClaimed | NotificationDelivered)
    }
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

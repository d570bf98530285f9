"""The ledger's lines as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Ended,
    Line,
    NotificationClaimed,
    NotificationDelivered,
    NotificationsEnabled,
)
from reconciler.render.tables import table_text
from reconciler.text.timestamps import rfc3339


def ledger_text(lines: Sequence[Line]) -> str:
    """Return lines as a table, in their order."""
    if not lines:
        return "the ledger is empty\n"
    head = ("AT", "RUN", "WHAT", "NAME", "JOB", "WHY, WHO, WHERE")
    return table_text(head, [(rfc3339(line.at), line.run_id, *_cells(line)) for line in lines])


def _cells(line: Line) -> tuple[str, str, str, str]:  # noqa: PLR0911 - a row for each kind
    match line:
        case CreateIntended():
            return ("create intended", line.name, "-", _why(line))
        case CreateConfirmed():
            return ("created", line.name, line.job_id, "the response was lost" if line.recovered else "")
        case CreateRefused() | CreateUnknown():
            what = "create refused" if isinstance(line, CreateRefused) else "create unknown"
            return (what, "-", "-", line.error)
        case CancelIntended():
            return ("cancel intended", line.name, line.job_id, _why(line))
        case CancelEnded():
            return ("cancel ended", "-", line.job_id, line.error or line.status)
        case Ended():
            return ("job ended", line.name, line.job_id, line.phase)
        case NotificationsEnabled():
            return ("notifications enabled", "-", "-", "on_end is notified of jobs that end from now on")
        case NotificationClaimed():
            return ("notification claimed", "-", line.job_id, "")
        case NotificationDelivered():
            what = "notification failed" if line.error else "notification delivered"
            return (what, "-", line.job_id, line.error)
        case _:
            assert_never(line)


def _why(line: CreateIntended | CancelIntended) -> str:
    return " ".join(filter(None, [line.reason, line.actor, line.commit[:10], line.run_url]))

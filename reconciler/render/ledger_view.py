"""The ledger's lines as a table."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    Ended,
    FileDelete,
    Line,
    NotificationDelivered,
)
from reconciler.render.tables import table_text
from reconciler.text.timestamps import rfc3339


def ledger_text(lines: Sequence[Line]) -> str:
    """Return lines as a table, in their order."""
    if not lines:
        return "the ledger is empty\n"
    head = ("AT", "RUN", "WHAT", "NAME", "JOB", "WHY, WHO, WHERE")
    return table_text(head, [(rfc3339(line.at), line.run_id, *_cells(line)) for line in lines])


def _cells(line: Line) -> tuple[str, str, str, str]:
    failed = isinstance(line, NotificationDelivered) and line.error
    what = "notification failed" if failed else str(line.__struct_config__.tag).replace("_", " ")
    return what, getattr(line, "name", "-"), getattr(line, "job_id", "-"), _detail(line)


def _detail(line: Line) -> str:
    match line:
        case CreateIntended() | CancelIntended():
            return " ".join(filter(None, [line.reason, line.actor, line.commit[:10], line.run_url]))
        case CreateConfirmed():
            return "the response was lost" if line.recovered else ""
        case CancelEnded():
            return line.error or line.status
        case FileDelete():
            return f"{line.file_id} {'gone' if line.gone else 'intended'}: {line.reason}"
        case Ended():
            return line.job.status
        case _:
            return getattr(line, "error", "")

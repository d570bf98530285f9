"""A history and a timeline as cells, for tables, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import msgspec

from reconciler.history.record import Record
from reconciler.history.timeline import EntryDoc
from reconciler.text.plural import age, pluralize
from reconciler.text.timestamps import rfc3339

TextRow = tuple[str, ...]

UNKNOWN: Final = "?"
"""The cell of an unknown value, which is never shown as 0 or as empty."""

HEAD: Final = (
    "CREATED", "NAME", "JOB", "STATUS", "OK", "FAILED", "WHY", "COMMIT", "ACTOR", "TOTAL", "ATTEMPT", "QUEUE", "RUN",
    "TOKENS", "CANCELLED", "KNOWN BY", "RUN URL", "BRANCH", "REPOSITORY", "PULL", "PLAN", "EVENT", "APPROVER",
    "RESULTS",
)  # fmt: skip
"""The most important first: a narrow table leaves out the last ones."""
STORY_HEAD: Final = ("AT", "WHAT", "JOB", "COMMIT", "WHO", "DETAIL", "KNOWN BY", "RUN URL")
_TEXTS: Final = ("run_url", "branch", "repository", "pull", "plan", "event", "approver", "results")
"""The fields that are the last columns of the table."""
_TIMES: Final = frozenset({"at", "created_at", "started_at", "completed_at", "cancelled_at"})


def rows(records: Iterable[Record]) -> list[TextRow]:
    """Return the cells of every record."""
    return [
        (
            UNKNOWN if it.created_at is None else rfc3339(it.created_at),
            it.name or UNKNOWN,
            it.job_id[:8] if it.job_id else UNKNOWN,
            (it.status or UNKNOWN) + ("!" if it.difference else ""),
            _number(it.succeeded_requests),
            _number(it.failed_requests),
            it.reason or UNKNOWN,
            it.commit[:7] + ("*" if it.dirty else "") if it.commit else UNKNOWN,
            it.actor or UNKNOWN,
            _number(it.total_requests),
            _number(it.attempt),
            _age(it.queue_seconds),
            _age(it.run_seconds),
            ("≥ " if it.answers_without_tokens else "") + _number(it.total_tokens),
            cancelled(it),
            "+".join(it.sources),
            *(getattr(it, name) or UNKNOWN for name in _TEXTS),
        )
        for it in records
    ]


def with_columns(table: Sequence[TextRow], columns: Sequence[TextRow]) -> list[TextRow]:
    """Return rows with more columns, after the name."""
    at = HEAD.index("NAME") + 1
    return [(*row[:at], *more, *row[at:]) for row, more in zip(table, columns, strict=True)]


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


@cache
def _age(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else age(seconds)


def cancelled(it: Record) -> str:
    """Return the reason and the actor of a cancel; "-" for a job that was not cancelled."""
    if it.cancel_reason is None:
        return UNKNOWN if it.status in ("CANCELLED", "CANCELLATION_REQUESTED") else "-"
    return f"{it.cancel_reason} by {it.cancelled_by or UNKNOWN}"


def footer(records: Sequence[Record]) -> str:
    """Return the number of jobs, and a legend for the marks that the table has."""
    parts = [pluralize(len(records), "job")]
    parts += ["* created with uncommitted changes"] if any(it.dirty for it in records) else []
    parts += ["! answers are missing, or numbers differ"] if any(it.difference for it in records) else []
    return " · ".join(parts) + "\n"


def csv_rows(documents: Iterable[msgspec.Struct]) -> list[TextRow]:
    """Return every field as text; unknown values are empty, times are RFC 3339. The columns are the fields."""
    return [tuple(_field(name, getattr(it, name)) for name in it.__struct_fields__) for it in documents]


def _field(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return rfc3339(value) if name in _TIMES else str(value)
    if isinstance(value, dict):
        return msgspec.json.encode(value, order="sorted").decode()
    return "+".join(value) if isinstance(value, tuple) else str(value)


def story_rows(entries: Iterable[EntryDoc]) -> list[TextRow]:
    """Return the cells of every entry of a timeline."""
    return [
        (
            rfc3339(it.at),
            it.what.replace("_", " "),
            it.job_id[:8] if it.job_id else "-",
            it.commit[:7] if it.commit else "-",
            it.actor or "-",
            it.detail or "-",
            it.source,
            it.run_url or "-",
        )
        for it in entries
    ]

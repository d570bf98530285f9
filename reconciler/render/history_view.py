"""A history and its statistics as cells: one row per job or group, for tables, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import msgspec

from reconciler.history.record import Record
from reconciler.history.statistics import GroupDoc
from reconciler.text.plural import DAY, age, pluralize
from reconciler.text.timestamps import rfc3339

TextRow = tuple[str, ...]

UNKNOWN: Final = "?"
"""The cell of an unknown value, which is never shown as 0 or as empty."""

HEAD: Final = (
    "CREATED", "NAME", "ATTEMPT", "JOB", "STATUS", "QUEUE", "RUN", "OK", "FAILED", "TOTAL", "TOKENS", "WHY",
    "COMMIT", "ACTOR", "CANCELLED", "KNOWN BY", "RUN URL",
)  # fmt: skip
STATS_HEAD: Final = (
    "OF", "", "JOBS", "SUCCESS", "FAILED", "TIMED OUT", "CANCELLED", "OTHER", "RATE", "QUEUE", "QUEUE P95", "RUN",
    "RUN P95", "REQUESTS", "OK", "FAILED", "TOKENS",
)  # fmt: skip
_TIMES: Final = frozenset({"created_at", "started_at", "completed_at", "cancelled_at"})


def rows(records: Sequence[Record]) -> list[TextRow]:
    """Return the cells of every record, row by row."""
    columns = [
        _days([it.created_at for it in records]),
        [it.name or UNKNOWN for it in records],
        _numbers([it.attempt for it in records]),
        [it.job_id[:8] if it.job_id else UNKNOWN for it in records],
        [it.status or UNKNOWN for it in records],
        _ages([it.queue_seconds for it in records]),
        _ages([it.run_seconds for it in records]),
        _numbers([it.succeeded_requests for it in records]),
        _numbers([it.failed_requests for it in records]),
        _numbers([it.total_requests for it in records]),
        _numbers([it.total_tokens for it in records]),
        [it.reason or UNKNOWN for it in records],
        [it.commit[:7] + ("*" if it.dirty else "") if it.commit else UNKNOWN for it in records],
        [it.actor or UNKNOWN for it in records],
        [cancelled(it) for it in records],
        ["+".join(it.sources) for it in records],
        [it.run_url or UNKNOWN for it in records],
    ]
    return list(zip(*columns, strict=True))


def _days(times: Sequence[int | None]) -> list[str]:
    """Return times as RFC 3339. Each day is formatted once, which is faster."""
    days = {at // DAY for at in times if at is not None}
    begin = {day: rfc3339(day * DAY)[: len("2026-11-22T")] for day in days}
    return [UNKNOWN if at is None else f"{begin[at // DAY]}{_clock(at % DAY)}Z" for at in times]


@cache
def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def _numbers(values: Sequence[int | None]) -> list[str]:
    return [UNKNOWN if value is None else f"{value:,}" for value in values]


def _ages(spans: Sequence[int | None]) -> list[str]:
    return [UNKNOWN if span is None else _age(span) for span in spans]


_age: Final = cache(age)


def cancelled(it: Record) -> str:
    """Return the reason and the actor of a cancel; "-" for a job that was not cancelled."""
    if it.cancel_reason is None:
        return UNKNOWN if it.status in ("CANCELLED", "CANCELLATION_REQUESTED") else "-"
    return f"{it.cancel_reason} by {it.cancelled_by or UNKNOWN}"


def footer(records: Sequence[Record]) -> str:
    """Return the number of jobs, and a legend for the star at a commit if there is one."""
    total = pluralize(len(records), "job")
    return (
        f"{total} · * created with uncommitted changes\n" if any(it.dirty for it in records) else f"{total}\n"
    )


def csv_head() -> TextRow:
    """Return the columns of a CSV: the fields of a record."""
    return Record.__struct_fields__


def csv_rows(records: Iterable[Record]) -> list[TextRow]:
    """Return every field of every record as text; unknown values are empty, times are RFC 3339."""
    return [tuple(_field(name, getattr(it, name)) for name in Record.__struct_fields__) for it in records]


def _field(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return rfc3339(value) if name in _TIMES else str(value)
    return "+".join(value) if isinstance(value, tuple) else str(value)


def stats_rows(groups: Iterable[GroupDoc]) -> list[TextRow]:
    """Return the cells of every group."""
    return [
        (
            it.by,
            "" if it.by == "all" else it.key,
            f"{it.jobs:,}",
            f"{it.succeeded:,}",
            f"{it.failed:,}",
            f"{it.timed_out:,}",
            f"{it.cancelled:,}",
            f"{it.other:,}",
            UNKNOWN if it.success_rate is None else f"{it.success_rate:.1%}",
            *(
                UNKNOWN if seconds is None else age(seconds)
                for seconds in (
                    it.queue_seconds_median,
                    it.queue_seconds_p95,
                    it.run_seconds_median,
                    it.run_seconds_p95,
                )
            ),
            _sum(it.requests, it.requests_unknown),
            _sum(it.requests_succeeded, it.requests_succeeded_unknown),
            _sum(it.requests_failed, it.requests_failed_unknown),
            _sum(it.tokens, it.tokens_unknown),
        )
        for it in groups
    ]


def _sum(value: int | None, unknown: int) -> str:
    """Return a sum, marked as a lower bound if parts of it are unknown."""
    if value is None:
        return UNKNOWN
    return f"{value:,}" if not unknown else f"≥ {value:,}"


def stats_csv_head() -> TextRow:
    """Return the columns of the statistics as CSV."""
    return GroupDoc.__struct_fields__


def stats_csv_rows(groups: Iterable[GroupDoc]) -> list[TextRow]:
    """Return every field of every group as text; unknown values are empty."""
    return [
        tuple("" if value is None else str(value) for value in msgspec.structs.astuple(it)) for it in groups
    ]

"""What a report shows, as values for its page. Pure: numbers are those of `history`, and text is not escaped yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from reconciler import __version__
from reconciler.history.record import Record
from reconciler.history.stats import StatsRow, summed
from reconciler.report.charts import Chart
from reconciler.report.names import MAX_NAMES, OfName, by_name, of_name
from reconciler.report.numbers import figures, minute
from reconciler.report.over_time import charts
from reconciler.report.timeline import Timeline, timeline
from reconciler.text.money import spent
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

PER_PAGE: Final = 100
"""Rows of a page of the table, and those that it has without scripts."""
MAX_ATTENTION: Final = 50
_DAY: Final = len("2026-11-01")


class Attention(Struct, frozen=True):
    """A name that a person should look at."""

    name: str
    state: str
    why: str


class Contents(Struct, frozen=True, kw_only=True):
    """Everything that the page shows."""

    project: str
    scope: str
    made_at: str
    version: str = __version__
    attention: Sequence[Attention] | None
    """None if the API was not read."""
    attention_more: int = 0
    figures: Sequence[tuple[str, str]]
    notes: Sequence[str]
    charts: Sequence[Chart]
    timeline: Timeline
    timeline_text: str
    begins: str
    """The first day of the timeline, and the last."""
    ends: str
    columns: Sequence[str]
    numeric: Sequence[int]
    """The columns that hold numbers, by place."""
    rows: Sequence[Sequence[Any]]
    """The rows of the table, newest first: Unix seconds, text, numbers, and None for what is not known."""
    currency: str
    """Of the costs in the rows; "" if none is known."""
    first_rows: Sequence[Sequence[str]]
    jobs_text: str
    specs: Sequence[OfName]
    specs_more: int


class Scope(Struct, frozen=True, kw_only=True):
    """What a report is about."""

    project: str
    base_url: str
    since: float | None = None
    """Unix seconds; None for every job."""
    offline: bool = False
    all_projects: bool = False
    keys: tuple[str, ...] = ()
    """Keys of the metadata that spend is shown by."""
    now: int


def contents(records: Sequence[Record], attention: Sequence[Attention] | None, scope: Scope) -> Contents:
    """Return what a report shows of `records`, which are in order of creation."""
    names = by_name(records)
    drawn = timeline(records, now=scope.now)
    columns, rows = _table(records, scope)
    currency = summed(records).currency
    return Contents(
        project=scope.project,
        scope=_scope(scope),
        made_at=minute(scope.now),
        attention=None if attention is None else attention[:MAX_ATTENTION],
        attention_more=max(0, len(attention or ()) - MAX_ATTENTION),
        figures=[("Jobs", f"{len(records):,}"), *figures(summed(records))],
        notes=_notes(summed(records)),
        charts=charts(records, scope.keys),
        timeline=drawn,
        timeline_text=_drawn(drawn),
        begins=minute(drawn.begin)[:_DAY],
        ends=minute(drawn.end)[:_DAY],
        columns=columns,
        numeric=[at for at, name in enumerate(columns) if name in _NUMERIC],
        rows=rows,
        currency=currency,
        first_rows=[_shown(row, currency) for row in rows[:PER_PAGE]],
        jobs_text=_jobs(len(rows)),
        specs=[of_name(name, names[name]) for name in list(names)[:MAX_NAMES]],
        specs_more=max(0, len(names) - MAX_NAMES),
    )


def _scope(scope: Scope) -> str:
    since = f"jobs created since {minute(scope.since)}" if scope.since is not None else "all jobs"
    whose = "of every project of the workspace" if scope.all_projects else f"of project {scope.project}"
    return f"{since} {whose} · {'the ledger and pulled results alone' if scope.offline else scope.base_url}"


def _notes(total: StatsRow) -> Sequence[str]:
    if not total.tokens_unknown:
        return []
    of = f"{total.tokens_unknown:,} of {pluralize(total.jobs, 'job')}"
    pull = "because their results were not pulled: reconciler outputs pull"
    return [
        f"Tokens and costs of {of} are not known, {pull}",
        "Costs are list prices times usage, no invoice",
    ]


def _drawn(it: Timeline) -> str:
    left = f"; {pluralize(it.left_out, 'job')}, older or of other names, left out" if it.left_out else ""
    return f"{pluralize(it.drawn, 'job')} from {minute(it.begin)} to {minute(it.end)}{left}"


def _jobs(number: int) -> str:
    return (
        pluralize(number, "job")
        if number <= PER_PAGE
        else f"the newest {PER_PAGE} of {pluralize(number, 'job')}"
    )


COST: Final = "Cost"
_NUMERIC: Final = ("Requests", "Answered", "Failed", "Tokens", COST)


def _table(records: Sequence[Record], scope: Scope) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Return the names of the columns, and the rows, newest first."""
    columns = ["Created", "Name", "Status", *_NUMERIC, "Model", "Job", "Commit", "By"]
    if scope.all_projects:
        columns.insert(2, "Project")

    def row(it: Record) -> Sequence[Any]:
        names = (clean(it.name or "?"), *((clean(it.project or "?"),) if scope.all_projects else ()))
        numbers = (it.total_requests, it.succeeded_requests, it.failed_requests, it.total_tokens, it.cost)
        texts = (it.model, (it.job_id or "")[:8], (it.commit or "")[:7], it.actor)
        return (
            it.created_at,
            *names,
            clean(it.status or "?"),
            *numbers,
            *(clean(text or "?") for text in texts),
        )

    return columns, [row(it) for it in reversed(records)]


def _shown(row: Sequence[Any], currency: str) -> Sequence[str]:
    created, *rest = row

    def cell(value: object) -> str:
        if isinstance(value, float):
            return spent(value, currency)
        return f"{value:,}" if isinstance(value, int) else "?" if value is None else str(value)

    return ["?" if created is None else minute(created), *map(cell, rest)]

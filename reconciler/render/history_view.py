"""A history, a timeline and an audit in each format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Final

import msgspec

from reconciler.documents.reports import pretty
from reconciler.history.audit import VerifyDoc
from reconciler.history.record import HistoryDoc, Record, WorkRow
from reconciler.history.timeline import EntryDoc, TimelineDoc
from reconciler.render.paint import NO_SCREEN, Screen, coloured
from reconciler.render.plan_view import others
from reconciler.render.tables import USUAL_WIDTH, fitting, table_csv, table_markdown, table_text
from reconciler.text.money import spent
from reconciler.text.plural import age, pluralize
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339

TextRow = tuple[str, ...]

UNKNOWN: Final = "?"
"""The cell of an unknown value, which is never shown as 0 or as empty."""

HEAD: Final = (
    "CREATED", "NAME", "JOB", "STATUS", "OK", "FAILED", "OF WORK", "COST", "WHY", "COMMIT", "ACTOR", "TOTAL", "ATTEMPT",
    "QUEUE", "RUN", "TOKENS", "CANCELLED", "KNOWN BY", "RUN URL", "BRANCH", "REPOSITORY", "PULL", "PLAN", "EVENT",
    "APPROVER", "RESULTS",
)  # fmt: skip
"""The most important first: a narrow table leaves out the last ones."""
WORKS_HEAD: Final = ("NAME", "JOBS", "ANSWERED", "OTHERS")
STORY_HEAD: Final = ("AT", "WHAT", "JOB", "COMMIT", "WHO", "DETAIL", "KNOWN BY", "RUN URL")
_TEXTS: Final = ("run_url", "branch", "repository", "pull", "plan", "event", "approver", "results")
"""The fields that are the last columns of the table."""
_TIMES: Final = frozenset({"at", "created_at", "started_at", "completed_at", "cancelled_at"})


def history(
    document: HistoryDoc,
    form: str,
    *,
    known: int,
    keys: Sequence[str] = (),
    projects: bool = False,
    screen: Screen = NO_SCREEN,
) -> str | bytes:
    """Return records in a format; a table has a column for each of the metadata's `keys`.

    It may have one for the project too. `known` is the number of jobs that were filtered.
    """
    records = document.records
    if form in ("table", "wide") and not records:
        there = f"; the ledger has {pluralize(known, 'job')}" if document.offline else ""
        return clean(f"no matching jobs of project {document.project}{there}") + "\n"

    def more(it: Record) -> Iterator[str]:
        if projects:
            yield it.project or UNKNOWN
        for key in keys:
            yield UNKNOWN if it.user_metadata is None else it.user_metadata.get(key, "-")

    head = (*HEAD[:2], *(("PROJECT",) if projects else ()), *map(str.upper, keys), *HEAD[2:])
    rows = partial(_rows, records, more)
    least = head.index("FAILED") + 1
    after = partial(_footer, records)
    shown = _written(document, form, head, rows, least=least, after=after, width=screen.width)
    if not isinstance(shown, str) or form not in ("table", "wide"):
        return shown
    several = [work_cells(it) for it in document.works if it.jobs > 1]
    works = f"\n{table_text(WORKS_HEAD, several)}" if several else ""
    return coloured(shown, "STATUS", colour=screen.colour) + works


def work_cells(row: WorkRow) -> TextRow:
    """Return the cells of the newest work of a name."""
    it = row.states
    known = (f"{it.answered:,} of {it.of:,}", ", ".join(others(it)) or "-") if it else (UNKNOWN, UNKNOWN)
    return (row.name, f"{row.jobs:,}", *known)


def story(document: TimelineDoc, form: str) -> str | bytes:
    """Return one spec's timeline in a format."""
    title = clean(" · ".join([document.name, *(document.files or ["file unknown"])]))
    rows, least = partial(_story_rows, document.entries), STORY_HEAD.index("DETAIL") + 1
    before = f"{title}\n\n"
    return _written(document, form, STORY_HEAD, rows, least=least, before=before)


def _written(
    document: HistoryDoc | TimelineDoc,
    form: str,
    head: TextRow,
    rows: Callable[[], Sequence[TextRow]],
    *,
    least: int,
    before: str = "",
    after: Callable[[str], str] = lambda _: "",
    width: int | None = None,
) -> str | bytes:
    """Return a document as JSON; or its parts as lines of JSON, as CSV or as a table with text around it.

    A `table` has as many columns as fit, but at least the first `least`, the last of which is wrapped; `wide` has all.
    """
    parts: Sequence[msgspec.Struct]
    parts, kind = (
        (document.records, Record) if isinstance(document, HistoryDoc) else (document.entries, EntryDoc)
    )
    match form:
        case "json":
            return pretty(document)
        case "jsonl":
            return msgspec.json.Encoder().encode_lines(parts)
        case "csv":
            names = kind.__struct_fields__
            return table_csv(names, [[_field(name, getattr(it, name)) for name in names] for it in parts])
        case "markdown":
            return table_markdown(head, rows())
        case "wide":
            shown = table_text(head, rows())
            return before + shown + after(shown)
        case _:
            shown, more = fitting(
                head, rows(), least=least, empty=frozenset({UNKNOWN, "-", ""}), most=width or USUAL_WIDTH
            )
            rest = f"{pluralize(more, 'more column')}: --format wide\n" if more else ""
            return before + shown + after(shown) + rest


def verification(report: VerifyDoc, form: str) -> str | bytes:
    """Return the contradictions that were found."""
    cells = [
        (it.severity, it.check, it.name or "-", it.job_id[:8] or "-", it.detail, it.hint)
        for it in report.findings
    ]
    head = ("", "CHECK", "NAME", "JOB", "WHAT", "HINT")
    wrong = sum(it.severity == "wrong" for it in report.findings)
    verdict = pluralize(wrong, "contradiction") if wrong else "no contradictions"
    aside = "; the list of jobs was not read" if report.offline else ""
    counted = {"job": report.jobs, "ledger line": report.lines, "commit": report.commits}
    looked = ", ".join(pluralize(number, noun) for noun, number in counted.items())
    last = f"{looked}: {verdict}{aside}\n"
    if form == "json":
        return pretty(report)
    if form == "markdown":
        return (table_markdown(head, cells) + "\n" if cells else "") + last
    lines = table_text(head[:-1], [row[:-1] for row in cells]).splitlines()[1:]
    found = [f"{line}\n  hint: {clean(row[-1])}\n" for line, row in zip(lines, cells, strict=True)]
    return "".join([*found, "\n" if found else "", last])


def _rows(records: Iterable[Record], more: Callable[[Record], Iterable[str]]) -> list[TextRow]:
    """Return the cells of every record, with more of them after the name."""
    return [
        (
            UNKNOWN if it.created_at is None else rfc3339(it.created_at),
            it.name or UNKNOWN,
            *more(it),
            it.job_id[:8] if it.job_id else UNKNOWN,
            (it.status or UNKNOWN) + ("!" if it.difference else ""),
            _number(it.succeeded_requests),
            _number(it.failed_requests),
            it.answered_of_work or "-",
            spent(it.cost, it.currency, lower=bool(it.cost_is_lower_bound)),
            it.reason or UNKNOWN,
            it.commit[:7] + ("*" if it.dirty else "") if it.commit else UNKNOWN,
            it.actor or UNKNOWN,
            _number(it.total_requests),
            _number(it.attempt),
            _age(it.queue_seconds),
            _age(it.run_seconds),
            ("≥ " if it.answers_without_tokens else "") + _number(it.total_tokens),
            _cancelled(it),
            "+".join(it.sources),
            *(getattr(it, name) or UNKNOWN for name in _TEXTS),
        )
        for it in records
    ]


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


@cache
def _age(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else age(seconds)


def _cancelled(it: Record) -> str:
    """Return the reason and the actor of a cancel; "-" for a job that was not cancelled."""
    if it.cancel_reason is None:
        return UNKNOWN if it.status in ("CANCELLED", "CANCELLATION_REQUESTED") else "-"
    return f"{it.cancel_reason} by {it.cancelled_by or UNKNOWN}"


def _footer(records: Sequence[Record], shown: str) -> str:
    """Return the number of jobs, and a legend for the marks that the `shown` table has."""
    marks = " COMMIT" in shown.partition("\n")[0]
    parts = [pluralize(len(records), "job")]
    parts += ["* created with uncommitted changes"] if marks and any(it.dirty for it in records) else []
    parts += ["! answers are missing, or numbers differ"] if any(it.difference for it in records) else []
    return " · ".join(parts) + "\n"


def _field(name: str, value: object) -> str:
    """Return the value of a field in CSV; an unknown one is empty, times are RFC 3339."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:f}"
    if isinstance(value, int):
        return rfc3339(value) if name in _TIMES else str(value)
    if isinstance(value, dict):
        return msgspec.json.encode(value, order="sorted").decode()
    return "+".join(value) if isinstance(value, tuple) else str(value)


def _story_rows(entries: Iterable[EntryDoc]) -> list[TextRow]:
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

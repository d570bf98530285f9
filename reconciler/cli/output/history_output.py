"""A history in each format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from reconciler.documents.reports import pretty
from reconciler.history.audit import VerifyDoc
from reconciler.history.record import HistoryDoc, Record
from reconciler.history.timeline import EntryDoc, TimelineDoc
from reconciler.render import history_view
from reconciler.render.tables import fitting, table_csv, table_markdown, table_text
from reconciler.runs.history import HistorySources
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean


def table(
    found: HistorySources, records: Sequence[Record], form: str, *, keys: Sequence[str], projects: bool
) -> str | bytes:
    """Return records; a table has a column for each of the metadata's `keys`, and perhaps one for the project."""
    if form in ("table", "wide") and not records:
        known = f"; the ledger has {pluralize(len(found.records), 'job')}" if found.offline else ""
        return clean(f"no matching jobs of project {found.target.project}{known}") + "\n"
    unknown = history_view.UNKNOWN
    more = [
        (
            *((it.project or unknown,) if projects else ()),
            *(unknown if it.user_metadata is None else it.user_metadata.get(key, "-") for key in keys),
        )
        for it in records
    ]
    added = (*(("PROJECT",) if projects else ()), *(key.upper() for key in keys))
    (head,) = history_view.with_columns([history_view.HEAD], [added])
    return _written(
        found,
        form,
        document=partial(HistoryDoc, records=tuple(records)),
        parts=records,
        kind=Record,
        head=head,
        least=head.index("FAILED") + 1,
        rows=lambda: history_view.with_columns(history_view.rows(records), more),
        after=history_view.footer(records),
    )


def story(
    found: HistorySources, name: str, files: Sequence[str], entries: Sequence[EntryDoc], form: str
) -> str | bytes:
    """Return one spec's timeline."""
    title = clean(" · ".join([name, *files]) if files else f"{name} · file unknown")
    return _written(
        found,
        form,
        document=partial(TimelineDoc, name=name, files=tuple(files), entries=tuple(entries)),
        parts=entries,
        kind=EntryDoc,
        head=history_view.STORY_HEAD,
        rows=partial(history_view.story_rows, entries),
        least=history_view.STORY_HEAD.index("DETAIL") + 1,
        before=f"{title}\n\n",
    )


def _written(
    found: HistorySources,
    form: str,
    *,
    document: Callable[..., msgspec.Struct],
    parts: Sequence[msgspec.Struct],
    kind: type[msgspec.Struct],
    head: Sequence[str],
    rows: Callable[[], Sequence[Sequence[str]]],
    least: int,
    before: str = "",
    after: str = "",
) -> str | bytes:
    """Return a report in one format.

    Args:
        found: the sources.
        form: `table` (as many columns as fit), `wide` (all columns), `json`, `jsonl`, `csv` or `markdown`.
        document: makes the JSON document, given the target.
        parts: the lines of `jsonl` and `csv`.
        kind: the class of the parts.
        head: the columns of a table.
        rows: returns the rows of a table.
        least: the number of columns that a table has in any case, the last of them wrapped.
        before: the text before a table.
        after: the text after a table.
    """
    match form:
        case "json":
            target = found.target
            return pretty(document(project=target.project, base_url=target.base_url, offline=found.offline))
        case "jsonl":
            return msgspec.json.Encoder().encode_lines(parts)
        case "csv":
            return table_csv(kind.__struct_fields__, history_view.csv_rows(parts))
        case "markdown":
            return table_markdown(head, rows())
        case "wide":
            return before + table_text(head, rows()) + after
        case _:
            shown, more = fitting(head, rows(), least=least, empty=frozenset({history_view.UNKNOWN, "-", ""}))
            rest = f"{pluralize(more, 'more column')}: --format wide\n" if more else ""
            return before + shown + after + rest


def verification(report: VerifyDoc, form: str) -> str | bytes:
    """Return the contradictions that were found."""
    cells = [
        (it.severity, it.check, it.name or "-", it.job_id[:8] or "-", it.detail, it.hint)
        for it in report.findings
    ]
    head = ("", "CHECK", "NAME", "JOB", "WHAT", "HINT")
    wrong = sum(it.severity == "wrong" for it in report.findings)
    looked = [
        pluralize(report.jobs, "job"),
        pluralize(report.lines, "ledger line"),
        pluralize(report.commits, "commit"),
    ]
    verdict = pluralize(wrong, "contradiction") if wrong else "no contradictions"
    aside = "; the list of jobs was not read" if report.offline else ""
    last = f"{', '.join(looked)}: {verdict}{aside}\n"
    if form == "json":
        return pretty(report)
    if form == "markdown":
        return (table_markdown(head, cells) + "\n" if cells else "") + last
    lines = table_text(head[:-1], [row[:-1] for row in cells]).splitlines()[1:]
    found = [f"{line}\n  hint: {clean(row[-1])}\n" for line, row in zip(lines, cells, strict=True)]
    return "".join([*found, "\n" if found else "", last])

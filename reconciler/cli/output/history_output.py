"""A history in each format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from reconciler.documents.reports import pretty
from reconciler.history import statistics as numbers
from reconciler.history.audit import VerifyDoc
from reconciler.history.record import HistoryDoc, Record
from reconciler.history.timeline import EntryDoc, TimelineDoc
from reconciler.render import history_view
from reconciler.render.tables import table_csv, table_markdown, table_text
from reconciler.render.timeline_view import STORY_HEAD, story_rows
from reconciler.runs.history_sources import HistorySources
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean


def table(found: HistorySources, records: Sequence[Record], form: str) -> str | bytes:
    """Return records."""
    match form:
        case "json":
            return pretty(
                HistoryDoc(
                    project=found.target.project,
                    base_url=found.target.base_url,
                    offline=found.offline,
                    records=tuple(records),
                )
            )
        case "jsonl":
            return _lines(records)
        case "csv":
            return table_csv(history_view.csv_head(), history_view.csv_rows(records))
        case "markdown":
            return table_markdown(history_view.HEAD, history_view.rows(records))
        case _:
            text = table_text(history_view.HEAD, history_view.rows(records)) + history_view.footer(records)
            return text if records else _nothing(found)


def _nothing(found: HistorySources) -> str:
    known = f"; the ledger has {pluralize(len(found.records), 'job')}" if found.offline else ""
    return clean(f"no matching jobs of project {found.target.project}{known}") + "\n"


def stats(found: HistorySources, records: Sequence[Record], form: str) -> str | bytes:
    """Return the statistics of records."""
    groups = numbers.groups(records)
    match form:
        case "json":
            return pretty(
                numbers.StatsDoc(
                    project=found.target.project,
                    base_url=found.target.base_url,
                    offline=found.offline,
                    groups=groups,
                )
            )
        case "jsonl":
            return _lines(groups)
        case "csv":
            return table_csv(history_view.stats_csv_head(), history_view.stats_csv_rows(groups))
        case "markdown":
            return table_markdown(history_view.STATS_HEAD, history_view.stats_rows(groups))
        case _:
            return table_text(history_view.STATS_HEAD, history_view.stats_rows(groups))


def story(
    found: HistorySources, name: str, files: Sequence[str], entries: Sequence[EntryDoc], form: str
) -> str | bytes:
    """Return one spec's timeline."""
    match form:
        case "json":
            return pretty(
                TimelineDoc(
                    project=found.target.project,
                    base_url=found.target.base_url,
                    offline=found.offline,
                    name=name,
                    files=tuple(files),
                    entries=tuple(entries),
                )
            )
        case "jsonl":
            return _lines(entries)
        case "csv":
            return table_csv(STORY_HEAD, story_rows(entries, whole=True))
        case "markdown":
            return table_markdown(STORY_HEAD, story_rows(entries, whole=False))
        case _:
            head = " · ".join([name, *files]) if files else f"{name} · file unknown"
            return clean(head) + "\n\n" + table_text(STORY_HEAD, story_rows(entries, whole=False))


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
    match form:
        case "json":
            return pretty(report)
        case "markdown":
            return (table_markdown(head, cells) + "\n" if cells else "") + last
        case _:
            return (table_text(head, cells) + "\n" if cells else "") + last


def _lines(docs: Iterable[msgspec.Struct]) -> bytes:
    return msgspec.json.Encoder().encode_lines(list(docs))

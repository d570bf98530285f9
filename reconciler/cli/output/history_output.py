"""A history in the form that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from reconciler.documents.reports import pretty
from reconciler.history import statistics as numbers
from reconciler.history.audit import VerifyDoc
from reconciler.history.record import HistoryDoc, Record
from reconciler.history.timeline import EntryDoc, StoryDoc
from reconciler.render import history_view as words
from reconciler.render.tables import table_csv, table_markdown, table_text
from reconciler.render.timeline_view import STORY_HEAD, story_rows
from reconciler.runs.history_sources import Sources
from reconciler.text.plural import count
from reconciler.text.sanitize import clean


def table(found: Sources, records: Sequence[Record], form: str) -> str | bytes:
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
            return table_csv(words.csv_head(), words.csv_rows(records))
        case "markdown":
            return table_markdown(words.HEAD, words.rows(records))
        case _:
            told = table_text(words.HEAD, words.rows(records)) + words.footer(records)
            return told if records else _nothing(found)


def _nothing(found: Sources) -> str:
    known = f"; the ledger knows {len(found.records):,}" if found.offline else ""
    return clean(f"no such job of project {found.target.project}{known}") + "\n"


def stats(found: Sources, records: Sequence[Record], form: str) -> str | bytes:
    """Return the numbers of records."""
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
            return table_csv(words.stats_csv_head(), words.stats_csv_rows(groups))
        case "markdown":
            return table_markdown(words.STATS_HEAD, words.stats_rows(groups))
        case _:
            return table_text(words.STATS_HEAD, words.stats_rows(groups))


def story(
    found: Sources, name: str, files: Sequence[str], entries: Sequence[EntryDoc], form: str
) -> str | bytes:
    """Return one spec's story."""
    match form:
        case "json":
            return pretty(
                StoryDoc(
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
            head = " · ".join([name, *files]) if files else f"{name} · its file is not known"
            return clean(head) + "\n\n" + table_text(STORY_HEAD, story_rows(entries, whole=False))


def verification(report: VerifyDoc, form: str) -> str | bytes:
    """Return what does not add up."""
    cells = [
        (it.severity, it.check, it.name or "-", it.job_id[:8] or "-", it.detail, it.hint)
        for it in report.findings
    ]
    head = ("", "CHECK", "NAME", "JOB", "WHAT", "HINT")
    wrong = sum(it.severity == "wrong" for it in report.findings)
    looked = [count(report.jobs, "job"), count(report.lines, "ledger line"), count(report.commits, "commit")]
    verdict = count(wrong, "thing does", "things do") + " not add up" if wrong else "everything adds up"
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

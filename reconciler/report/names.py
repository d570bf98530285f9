"""The sections of a report about single names: their newest jobs, commits and people. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from reconciler.history.links import links
from reconciler.history.record import Record
from reconciler.history.stats import summed
from reconciler.report.numbers import figures, minute
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

MAX_NAMES: Final = 200
"""Names that have a section of their own: those with the newest jobs."""
MAX_OF_NAME: Final = 10
"""Jobs that the section of a name shows: the newest."""
_HEAD: Final = (
    "Created",
    "Job",
    "Status",
    "Part",
    "Requests",
    "Answered",
    "Failed",
    "What failed",
    "Commit",
    "By",
)


class Link(Struct, frozen=True):
    """A commit, with its address if it is known."""

    label: str
    url: str = ""


class OfName(Struct, frozen=True, kw_only=True):
    """The section of a name."""

    name: str
    summary: str
    facts: Sequence[tuple[str, str]]
    commits: Sequence[Link]
    head: Sequence[str] = _HEAD
    rows: Sequence[Sequence[str]]
    more: int


def by_name(records: Iterable[Record]) -> Mapping[str, list[Record]]:
    """Return the jobs of each name; the name with the newest job is the first."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.name or "?"].append(record)
    return dict(sorted(found.items(), key=lambda it: (-(it[1][-1].created_at or 0), it[0])))


def of_name(name: str, records: Sequence[Record]) -> OfName:
    """Return the section of a name with these jobs, the oldest first."""
    last = records[-1]
    parts = [it for it in records if it.work is not None and (it.work, it.rerun) == (last.work, last.rerun)]
    total = summed(records)
    people = sorted({clean(it.actor) for it in records if it.actor})
    approvers = sorted({clean(it.approver) for it in records if it.approver})
    facts = [
        ("Newest work", f"{pluralize(len(parts) or 1, 'job')}{_of_work(last)}"),
        *figures(total),
        ("Model", clean(last.model or "?")),
        ("Submitted by", ", ".join(people) or "?"),
        *([("Approved by", ", ".join(approvers))] if approvers else []),
    ]
    summary = f"{pluralize(len(records), 'job')}, the last {clean(last.status or '?')}"
    when = "" if last.created_at is None else f" of {minute(last.created_at)}"
    commits = {it.commit: it for it in reversed(records) if it.commit}
    return OfName(
        name=clean(name),
        summary=summary + when,
        facts=facts,
        commits=[
            Link(clean((it.commit or "")[:7]), links(it).commit or "")
            for it in list(commits.values())[:MAX_OF_NAME]
        ],
        rows=[_cells(it) for it in reversed(records[-MAX_OF_NAME:])],
        more=max(0, len(records) - MAX_OF_NAME),
    )


def _of_work(record: Record) -> str:
    return f", {record.answered_of_work} answered" if record.answered_of_work else ""


def _cells(it: Record) -> Sequence[str]:
    numbers = (it.total_requests, it.succeeded_requests, it.failed_requests)
    part = "?" if it.attempt is None else f"{it.attempt}{f' of {it.of:,} requests' if it.of else ''}"
    return (
        "?" if it.created_at is None else minute(it.created_at),
        clean((it.job_id or "?")[:8]),
        clean(it.status or "?"),
        part,
        *("?" if number is None else f"{number:,}" for number in numbers),
        clean(it.reasons or it.difference or "-"),
        clean((it.commit or "?")[:7]),
        clean(it.actor or "?"),
    )


def _link(record: Record) -> Link:
    return Link(clean((record.commit or "")[:7]), links(record).commit or "")

"""The timeline of one spec: its commits, creates, refusals and cancels, and the end of each job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

import msgspec

from reconciler.history.record import LEDGER, LIST, HistoryPart, Record, source_of
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Line,
)
from reconciler.model.commit import Commit
from reconciler.text.plural import pluralize

What = Literal[
    "committed",
    "create_refused",
    "create_unknown",
    "created",
    "started",
    "cancel_asked",
    "cancel_refused",
    "ended",
]
"""Entries of one second are in this order."""


class EntryDoc(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a timeline."""

    at: int
    """Unix seconds: by the server's clock for jobs, the runner's for ledger lines, the author's for commits."""
    what: What
    source: Literal["git", "ledger", "list", "list+ledger"]
    job_id: str | None = None
    detail: str = ""
    commit: str | None = None
    actor: str | None = None
    run_url: str | None = None


class TimelineDoc(HistoryPart, frozen=True, kw_only=True):
    """The output of `history NAME --format json`; `--format jsonl` writes its entries, one per line."""

    name: str
    files: tuple[str, ...]
    """The spec's file and its earlier names, from git."""
    entries: tuple[EntryDoc, ...]
    """In chronological order."""


def timeline_entries(
    name: str,
    works: frozenset[str],
    records: Iterable[Record],
    lines: Iterable[Line],
    commits: Iterable[Commit],
) -> tuple[EntryDoc, ...]:
    """Return the timeline of one name, in chronological order, from the whole history and the whole ledger.

    A job with one of the work digests that the spec declares now belongs to it under any name. The commits are those
    that changed its file.
    """
    found = [
        EntryDoc(at=it.at, what="committed", source="git", detail=it.subject, commit=it.id, actor=it.author)
        for it in commits
    ]
    mine = [record for record in records if record.name == name or (record.work or "") in works]
    for record in mine:
        found += _of_job(name, record)
    found += _of_lines(name, {record.job_id for record in mine}, lines)
    return tuple(
        sorted(found, key=lambda it: (it.at, get_args(What).index(it.what), it.job_id or "", it.detail))
    )


def _of_job(name: str, it: Record) -> Iterator[EntryDoc]:
    if it.created_at is None or it.job_id is None:
        return
    source: Literal["list", "ledger", "list+ledger"] = (
        "list+ledger" if {LIST, LEDGER} <= set(it.sources) else "list" if LIST in it.sources else "ledger"
    )
    number = pluralize(it.total_requests, "request") if it.total_requests is not None else "requests unknown"
    number = number if it.of is None else f"{number} of {it.of:,}, reuses {it.reused or 0:,}"
    facts = [it.reason, f"attempt {it.attempt}" if it.attempt is not None else None, number, it.model]
    facts += [f"rerun {it.rerun}" if it.rerun else None, f"as {it.name}" if it.name != name else None]
    facts += [
        f"pull request {it.pull}" if it.pull else None,
        f"plan {it.plan}" if it.plan else None,
        it.event,
    ]
    facts += [f"approved by {it.approver}" if it.approver else None]
    yield EntryDoc(
        at=it.created_at,
        what="created",
        source=source,
        job_id=it.job_id,
        detail=" · ".join(filter(None, facts)),
        commit=it.commit,
        actor=it.actor,
        run_url=it.run_url,
    )
    if it.started_at is not None:
        yield EntryDoc(at=it.started_at, what="started", source=source, job_id=it.job_id)
    if it.completed_at is not None:
        numbers = {"ok": it.succeeded_requests, "failed": it.failed_requests, "tokens": it.total_tokens}
        detail = " · ".join([it.status or "?", *(_counted(number, noun) for noun, number in numbers.items())])
        whole = f"{it.answered_of_work} requests of the work answered" if it.answered_of_work else ""
        detail = " · ".join(filter(None, [detail, whole, it.difference, it.reasons]))
        yield EntryDoc(at=it.completed_at, what="ended", source=source, job_id=it.job_id, detail=detail)


def _counted(number: int | None, noun: str) -> str:
    return f"? {noun}" if number is None else f"{number:,} {noun}"


def _of_lines(name: str, jobs: set[str | None], lines: Iterable[Line]) -> Iterator[EntryDoc]:
    """Yield the entries that only the ledger has: creates without a job, and who requested a cancel."""
    known = tuple(lines)
    intents = {it.op: it for it in known if isinstance(it, CreateIntended) and it.name == name}
    for lost in _came_to_nothing(known):
        if intent := intents.get(lost.op):
            what: What = "create_refused" if isinstance(lost, CreateRefused) else "create_unknown"
            yield _entry(lost, what, f"{intent.reason} · attempt {intent.attempt} · {lost.error}", by=intent)
    for line in known:
        if isinstance(line, CancelIntended) and line.job_id in jobs:
            yield _entry(line, "cancel_asked", line.reason, job_id=line.job_id, by=line)
        elif isinstance(line, CancelEnded) and line.error and line.job_id in jobs:
            yield _entry(line, "cancel_refused", line.error, job_id=line.job_id)


def _entry(
    line: Line,
    what: What,
    detail: str,
    *,
    job_id: str | None = None,
    by: CreateIntended | CancelIntended | None = None,
) -> EntryDoc:
    who = source_of(by) if by else {}
    return EntryDoc(at=int(line.at), what=what, source="ledger", job_id=job_id, detail=detail, **who)


def _came_to_nothing(lines: Sequence[Line]) -> Iterable[CreateRefused | CreateUnknown]:
    """Return the line of each create without a job: its refusal, else its unknown outcome."""
    created = {line.op for line in lines if isinstance(line, CreateConfirmed)}
    unknown = {line.op: line for line in lines if isinstance(line, CreateUnknown)}
    refused = {line.op: line for line in lines if isinstance(line, CreateRefused)}
    return [line for op, line in (unknown | refused).items() if op not in created]

"""Merge the sources into one record per job.

The list is fresher than the ledger, so its values win. The ledger has facts that no tag has (why a job was created,
who cancelled it) and jobs that the API has deleted. Only pulled results have tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from reconciler.documents.result_summary import ResultSummary
from reconciler.history.from_ledger import LedgerView
from reconciler.history.ledger_index import LedgerIndex
from reconciler.history.record import CREATE_UNKNOWN, LEDGER, LIST, RESULTS, Record, span
from reconciler.ledger.lines import CancelEnded, CancelIntended, CreateIntended
from reconciler.model import Job, OwnedJob, Unreadable, tags

CANCELLED: Final = (None, "CANCELLED", "CANCELLATION_REQUESTED")
"""The statuses of jobs that may have been cancelled."""
UNFINISHED: Final = (None, "CANCELLATION_REQUESTED")
"""The statuses that pulled results correct: an accepted cancel may come too late."""


def owned_jobs(jobs: Iterable[Job], project: str, known: Iterable[str] = ()) -> tuple[Job, ...]:
    """Return the jobs with our project's tag, and those that the ledger has as ours."""
    ids = set(known)
    return tuple(job for job in jobs if tags.project_of(job) == project or job.id in ids)


def records(
    ledger: LedgerView, jobs: Iterable[Job] = (), summaries: Mapping[str, ResultSummary] | None = None
) -> tuple[Record, ...]:
    """Return the record of every job, the oldest first.

    Args:
        ledger: the ledger's records and lines.
        jobs: our jobs in the list; empty if it was not read.
        summaries: those of pulled results, by job id.
    """
    index, pulled, found = ledger.index, summaries or {}, dict(ledger.records)
    seen_ops = set()
    for job in jobs:
        found[job.id] = _with_list(found.get(job.id), job, tags.read(job), index)
        seen_ops.add(found[job.id].op)
    for job_id in pulled.keys() & found.keys():  # the folder may also have the results of another target
        found[job_id] = _with_results(found[job_id], pulled[job_id])
    for job_id in index.cancels.keys() & found.keys():
        found[job_id] = _with_cancel(found[job_id], index.cancels[job_id], index.cancelled.get(job_id))
    lost = (
        _unknown(intent)
        for op, intent in index.intents.items()
        if op not in index.settled and op not in seen_ops
    )
    return tuple(sorted((*found.values(), *lost), key=_age))


def _age(record: Record) -> tuple[int, str]:
    return (record.created_at or 0, record.job_id or record.op or "")


def _unknown(intent: CreateIntended) -> Record:
    return Record(
        name=intent.name,
        attempt=intent.attempt,
        status=CREATE_UNKNOWN,
        created_at=int(intent.at),
        commit=intent.commit or None,
        actor=intent.actor or None,
        run_url=intent.run_url or None,
        reason=intent.reason,
        rerun=intent.rerun,
        work=intent.work,
        op=intent.op,
        run_id=intent.run_id,
        sources=(LEDGER,),
    )


def _with_list(
    known: Record | None, job: Job, read: OwnedJob | Unreadable | None, index: LedgerIndex
) -> Record:
    """Add the list's facts of a job, which are fresher than the ledger's."""
    facts = read.tags if isinstance(read, OwnedJob) else None
    record = known or Record(name=_name(job), job_id=job.id)
    record = replace(
        record,
        status=job.status,
        endpoint=job.endpoint,
        model=job.model or job.agent_id or record.model,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        queue_seconds=span(job.created_at, job.started_at),
        run_seconds=span(job.started_at, job.completed_at),
        total_requests=job.total_requests or (facts.requests if facts else record.total_requests),
        succeeded_requests=job.succeeded_requests,
        failed_requests=job.failed_requests,
        sources=(LIST, *record.sources),
    )
    if facts is None:
        return record
    intent = index.intents.get(facts.op)
    return replace(
        record,
        name=facts.name,
        attempt=facts.attempt,
        commit=facts.source.commit or record.commit,
        dirty=facts.source.dirty if facts.source.commit else None,
        actor=facts.source.actor or record.actor,
        run_url=facts.source.run_url or record.run_url,
        reason=intent.reason if intent else record.reason,
        rerun=facts.run_key.rerun,
        work=facts.run_key.work,
        op=facts.op,
        run_id=intent.run_id if intent else record.run_id,
    )


def _with_cancel(record: Record, cancel: CancelIntended, left: CancelEnded | None) -> Record:
    """Add who cancelled a job and why, if the API accepted this tool's cancel and it did not come too late."""
    if record.status not in CANCELLED or left is None or left.error:
        return record
    return replace(
        record,
        cancel_reason=cancel.reason,
        cancelled_by=cancel.actor or None,
        cancelled_at=int(cancel.at),
        cancel_commit=cancel.commit or None,
        cancel_run_url=cancel.run_url or None,
    )


def _name(job: Job) -> str:
    name = job.metadata.get(tags.NAME)
    return name if isinstance(name, str) else ""


def _with_results(record: Record, summary: ResultSummary) -> Record:
    """Add the tokens of pulled results, and their numbers of requests if no other source has them."""
    tokens = summary.tokens if summary.tokens and summary.tokens.answers else None
    return replace(
        record,
        status=summary.status if record.status in UNFINISHED else record.status,
        succeeded_requests=_or(record.succeeded_requests, summary.requests.ok),
        failed_requests=_or(record.failed_requests, summary.requests.failed),
        total_requests=_or(record.total_requests, summary.requests.total),
        prompt_tokens=tokens.prompt if tokens else None,
        completion_tokens=tokens.completion if tokens else None,
        total_tokens=tokens.total if tokens else None,
        sources=(*record.sources, RESULTS),
    )


def _or(known: int | None, other: int | None) -> int | None:
    return other if known is None else known

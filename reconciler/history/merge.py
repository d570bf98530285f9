"""Merge the sources into one record per job.

The list is fresher than the ledger, so its values win. The ledger has facts that no tag has (why a job was created,
who cancelled it) and jobs that the API has deleted. Only pulled results have tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import replace

from reconciler.cost.prices import Prices
from reconciler.documents.costs import job_cost
from reconciler.documents.result_summary import ResultSummary, check_words, reason_words
from reconciler.history.ledger_index import LedgerIndex
from reconciler.history.record import CREATE_UNKNOWN, LEDGER, LIST, RESULTS, Record, source_of, span
from reconciler.history.sources import LedgerView
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    Ended,
    Line,
    UsageSeen,
)
from reconciler.model import TAG_PREFIX, Job, OwnedJob, Phase, Source, Unreadable, completeness, tags

CANCELLED: Final = (None, "CANCELLED", "CANCELLATION_REQUESTED")
"""The statuses of jobs that may have been cancelled."""
UNFINISHED: Final = (None, "CANCELLATION_REQUESTED")
"""The statuses that pulled results correct: an accepted cancel may come too late."""
SHARED: Final = tuple(name for name in Job.__struct_fields__ if name in Record.__struct_fields__)
"""The fields of a record that are a job's own."""
_WITHOUT_PRICES: Final = Prices(date="")
_shared: Final = attrgetter(*SHARED)
SOURCED: Final = tuple(
    name for name in Source.__struct_fields__ if name in Record.__struct_fields__ and name != "dirty"
)
"""The fields of a record that are a source's own."""


def read_ledger(lines: tuple[Line, ...], *, project: str) -> LedgerView:
    """Index the lines of a project's ledger, and build a record for each job in it."""
    index = LedgerIndex()
    index.add(lines)
    records = {job_id: _from_ledger(job_id, index, project=project) for job_id in index.job_ids}
    return LedgerView(project=project, index=index, records=records, lines=lines)


def owned_jobs(jobs: Iterable[Job], project: str | None, known: Iterable[str] = ()) -> tuple[Job, ...]:
    """Return the jobs with a project's tag, or with any for None, and those that the ledger has as ours."""
    ids = set(known)
    return tuple(
        job for job in jobs if ((of := tags.project_of(job)) and project in (None, of)) or job.id in ids
    )


def records(
    ledger: LedgerView,
    jobs: Iterable[Job] = (),
    summaries: Mapping[str, ResultSummary] | None = None,
    prices: Prices = _WITHOUT_PRICES,
) -> tuple[Record, ...]:
    """Return the record of every job, the oldest first.

    The jobs are ours in the list, none if it was not read; the summaries are those of pulled results, by job id.
    Without prices, no cost is known.
    """
    index, pulled, found = ledger.index, summaries or {}, dict(ledger.records)
    seen_ops = set()
    for job in jobs:
        found[job.id] = _with_list(found.get(job.id), job, tags.read(job), ledger)
        seen_ops.add(found[job.id].op)
    for job_id in pulled.keys() & found.keys():  # the folder may also have the results of another target
        found[job_id] = _with_results(found[job_id], pulled[job_id])
    for job_id in (pulled.keys() | index.usage.keys()) & found.keys():
        found[job_id] = _with_cost(found[job_id], prices, index.usage.get(job_id), pulled.get(job_id))
    for job_id in index.cancels.keys() & found.keys():
        found[job_id] = _with_cancel(found[job_id], index.cancels[job_id], index.cancelled.get(job_id))
    lost = (
        _unknown(intent, ledger.project)
        for op, intent in index.intents.items()
        if op not in index.settled and op not in seen_ops
    )
    return tuple(sorted((*found.values(), *lost), key=_age))


def _age(record: Record) -> tuple[int, str]:
    return (record.created_at or 0, record.job_id or record.op or "")


def _from_ledger(job_id: str, index: LedgerIndex, *, project: str) -> Record:
    """Return the record of a job that the ledger has as created or ended."""
    created, ended = index.created.get(job_id), index.ended.get(job_id)
    line = ended or index.created[job_id]
    facts = _of_work(line) | _of_job(line.job, line.requests)
    if ended is None:  # the job as it was created says nothing of its state
        cancel = index.cancelled.get(job_id)
        status = cancel.status or None if cancel else None
        facts |= {"status": status, "succeeded_requests": None, "failed_requests": None}
    if created is not None:
        facts |= {"op": created.op, "run_id": created.run_id} | _of_intent(index.intents.get(created.op))
    return Record(job_id=job_id, project=project, **facts)


def _unknown(intent: CreateIntended, project: str) -> Record:
    facts = _of_work(intent) | _of_intent(intent)
    return Record(status=CREATE_UNKNOWN, created_at=int(intent.at), op=intent.op, project=project, **facts)


def _of_work(line: CreateIntended | CreateConfirmed | Ended) -> dict[str, Any]:
    own = {name: getattr(line, name) for name in ("name", "attempt", "rerun", "work")}
    return own | {"sources": (LEDGER,)}


def _of_job(job: Job, requests: int | None) -> dict[str, Any]:
    """Return the facts of a job; `requests` is the number submitted."""
    facts: dict[str, Any] = dict(zip(SHARED, _shared(job), strict=True))
    facts["model"] = job.model or job.agent_id
    facts["queue_seconds"] = span(job.created_at, job.started_at)
    facts["run_seconds"] = span(job.started_at, job.completed_at)
    facts["total_requests"] = completeness.submitted_requests(job, requests)
    facts["difference"] = completeness.difference(job, requests) or None
    if job.phase is Phase.SUCCEEDED:
        facts["succeeded_requests"] = completeness.fetchable_answers(job)
    return facts


def _of_intent(intent: CreateIntended | None) -> dict[str, Any]:
    """Return the reason and the source of a create."""
    if intent is None:
        return {}
    audit = {name: getattr(intent, name) or None for name in ("pull", "plan", "event", "approver")}
    return {"reason": intent.reason, "run_id": intent.run_id} | audit | source_of(intent)


def _with_list(
    known: Record | None, job: Job, read: OwnedJob | Unreadable | None, ledger: LedgerView
) -> Record:
    """Add the list's facts of a job, which are fresher than the ledger's."""
    facts = read.tags if isinstance(read, OwnedJob) else None
    record = known or Record(name=_name(job), job_id=job.id)
    listed = _of_job(job, facts.requests if facts else record.total_requests)
    own = {key: str(value) for key, value in job.metadata.items() if not key.startswith(TAG_PREFIX)}
    listed |= {
        "model": listed["model"] or record.model,
        "sources": (LIST, *record.sources),
        "user_metadata": own,
    }
    listed["project"] = tags.project_of(job) or ledger.project
    if facts is None:
        return replace(record, **listed)
    record = replace(record, **listed | _of_intent(ledger.index.intents.get(facts.op)))
    return replace(
        record,
        name=facts.name,
        attempt=facts.attempt,
        of=facts.of,
        reused=facts.reused,
        dirty=facts.source.dirty if facts.source.commit else None,
        **{name: getattr(facts.source, name) or getattr(record, name) for name in SOURCED},
        rerun=facts.run_key.rerun,
        work=facts.run_key.work,
        op=facts.op,
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
    """Add the tokens of pulled results, and their numbers of requests if they differ or no other source has them."""
    tokens = summary.tokens if summary.tokens and summary.tokens.answers else None
    if summary.difference:
        record = replace(record, difference=summary.difference, succeeded_requests=None, failed_requests=None)
    return replace(
        record,
        status=summary.status if record.status in UNFINISHED else record.status,
        of=_or(record.of, summary.of),
        reused=_or(record.reused, summary.reused),
        succeeded_requests=_or(record.succeeded_requests, summary.requests.ok),
        failed_requests=_or(record.failed_requests, summary.requests.failed),
        total_requests=_or(record.total_requests, summary.requests.total),
        prompt_tokens=tokens.prompt if tokens else None,
        completion_tokens=tokens.completion if tokens else None,
        total_tokens=tokens.total if tokens else None,
        answers_without_tokens=tokens.incomplete if tokens else None,
        reasons="; ".join(filter(None, (reason_words(summary.requests), check_words(summary.checks))))
        or None,
        sources=(*record.sources, RESULTS),
    )


def _with_cost(
    record: Record, prices: Prices, seen: UsageSeen | None, summary: ResultSummary | None
) -> Record:
    created, succeeded = record.created_at or 0, record.succeeded_requests or 0
    cost = job_cost(prices, seen, summary, model=record.model, created_at=created, succeeded=succeeded)
    if cost is None:
        return record
    return replace(
        record,
        cost=cost.amount,
        currency=cost.currency,
        cost_is_lower_bound=cost.lower_bound,
        prices_of=cost.prices,
    )


def _or(known: int | None, other: int | None) -> int | None:
    return other if known is None else known

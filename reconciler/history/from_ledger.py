"""Build one record per job from the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.history.ledger_index import LedgerIndex
from reconciler.history.record import LEDGER, Record, span
from reconciler.ledger.lines import CreateIntended, Line

STATUS: Final = {
    "SUCCEEDED": "SUCCESS",
    "FAILED": "FAILED",
    "TIMED_OUT": "TIMEOUT_EXCEEDED",
    "CANCELLED": "CANCELLED",
}
"""The API's statuses by phase, for lines of older versions of this tool, which recorded only the phase."""
ONLY_LEDGER: Final = (LEDGER,)
NO_INTENT: Final = CreateIntended(at=0, run_id="", op="", name="", work="", rerun="", attempt=0, reason="")
"""The intent of a create without one in the ledger."""


@dataclass(frozen=True, kw_only=True)
class LedgerView:
    """A ledger's lines, their index and the records built from them."""

    index: LedgerIndex
    """The lines by op and by job id."""
    records: Mapping[str, Record]
    """By job id."""
    lines: tuple[Line, ...] = ()
    """All of them, in order."""


def read_ledger(lines: tuple[Line, ...]) -> LedgerView:
    """Index the lines of a ledger, and build a record for each job in it."""
    index = LedgerIndex()
    index.add(lines)
    records = {job_id: _record(job_id, index) for job_id in index.job_ids}
    return LedgerView(index=index, records=records, lines=lines)


def _record(job_id: str, index: LedgerIndex) -> Record:
    """Return the record of a job that the ledger has as created or ended."""
    created, ended = index.created.get(job_id), index.ended.get(job_id)
    line = ended or index.created[job_id]
    intent = (created and index.intents.get(created.op)) or NO_INTENT
    status = at = began = over = total = right = wrong = None
    if ended:
        status = ended.status or STATUS.get(ended.phase)
    elif job_id in index.cancelled:
        status = index.cancelled[job_id].status or None
    if ended and ended.created_at is not None:
        at, began, over = ended.created_at, ended.started_at, ended.completed_at
        total, right, wrong = ended.requests, ended.succeeded, ended.failed
    elif created:  # an older version of this tool recorded only its own clock
        at = int(created.at) if created.created_at is None else created.created_at
    if created and not total:
        total = created.requests
    return Record(
        name=line.name,
        attempt=line.attempt,
        job_id=job_id,
        status=status,
        endpoint=line.endpoint or None,
        model=line.model or None,
        created_at=at,
        started_at=began,
        completed_at=over,
        queue_seconds=span(at, began),
        run_seconds=span(began, over),
        total_requests=total,
        succeeded_requests=right,
        failed_requests=wrong,
        commit=intent.commit or None,
        actor=intent.actor or None,
        run_url=intent.run_url or None,
        reason=intent.reason or None,
        rerun=line.rerun,
        work=line.work,
        op=created.op if created else None,
        run_id=intent.run_id or (created.run_id if created else None),
        sources=ONLY_LEDGER,
    )

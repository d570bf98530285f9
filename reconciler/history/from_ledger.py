"""One record a job, as the ledger alone knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.history.ledger_index import Told
from reconciler.history.record import LEDGER, Record, span
from reconciler.ledger.lines import CreateIntended, Line

STATUS: Final = {
    "SUCCEEDED": "SUCCESS",
    "FAILED": "FAILED",
    "TIMED_OUT": "TIMEOUT_EXCEEDED",
    "CANCELLED": "CANCELLED",
}
"""The API's words, for lines of older versions of this tool, which took down the phase alone."""
ONLY_LEDGER: Final = (LEDGER,)
NOBODY: Final = CreateIntended(at=0, run_id="", op="", name="", work="", rerun="", attempt=0, reason="")
"""The intent of a create that the ledger did not take down."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A ledger, put together."""

    told: Told
    """What its lines are about."""
    records: Mapping[str, Record]
    """By job id."""
    lines: tuple[Line, ...] = ()
    """All of them, in order."""


def heard(lines: tuple[Line, ...]) -> Heard:
    """Put together what a ledger tells of each job."""
    told = Told()
    told.add(lines)
    records = {job_id: _record(job_id, told) for job_id in told.job_ids}
    return Heard(told=told, records=records, lines=lines)


def _record(job_id: str, told: Told) -> Record:
    """Return what the ledger alone knows of a job that it saw created or ended."""
    created, ended = told.created.get(job_id), told.ended.get(job_id)
    line = ended or told.created[job_id]
    intent = (created and told.intents.get(created.op)) or NOBODY
    status = at = began = over = total = right = wrong = None
    if ended:
        status = ended.status or STATUS.get(ended.phase)
    elif job_id in told.cancelled:
        status = told.cancelled[job_id].status or None
    if ended and ended.created_at is not None:
        at, began, over = ended.created_at, ended.started_at, ended.completed_at
        total, right, wrong = ended.requests, ended.succeeded, ended.failed
    elif created:  # an older version of this tool took down its own clock alone
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

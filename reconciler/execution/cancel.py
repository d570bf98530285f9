"""Cancelling one job, on the record, so that it is known later who stopped it.

The job is read, the intent is durable in the ledger, and the cancel is sent. Only if the job was running just before,
and the API accepted that very cancel, does the ledger say that this tool stopped the job. Otherwise somebody else may
have, and a job that a person cancelled is not created again. So a cancel that fails is not repeated before the job was
read once more.
"""

from __future__ import annotations

from typing import Final

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, OutcomeUnknownError
from reconciler.context import Run
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.ledger.lines import CancelEnded, CancelIntended
from reconciler.model import Job, Phase

RUNNING: Final = (Phase.ACTIVE, Phase.UNKNOWN)
"""Phases of a job that a cancel may still stop."""


def cancel_job(run: Run[Writer], job: Job, *, name: str, reason: str) -> Job:
    """Cancel a job and return it as it is left. A job that has stopped already is returned as it is.

    Raises:
        LedgerError: the intent could not be made durable, so nothing was sent.
        ApiError: the job was not cancelled, or it is not known whether it was.
    """
    log = run.world.log
    try:
        before = _read_before(run, job.id)
        if before.phase not in RUNNING:
            return before
        _intend(run, job.id, name=name, reason=reason)
        left, failure = _send(run, job.id)
    except ReconcilerError as error:
        log("job.cancel_failed", name=name, job_id=job.id, error=str(error))
        raise
    _record(run, job.id, status=left.status, error=failure)
    log(
        "job.cancelled",
        name=name,
        job_id=job.id,
        reason=reason,
        status=left.status,
        answered=left.completed_requests,
    )
    return left


def _send(run: Run[Writer], job_id: str) -> tuple[Job, str]:
    """Send the cancel until it is accepted, the job has stopped otherwise, or no attempt is left.

    Returns:
        The job as it is left, and the last failure if no cancel of ours was accepted.

    Raises:
        ApiError: the job runs on, or could not be read.
    """
    attempt = 1
    while True:
        try:
            left = run.api.cancel_job(job_id)
        except ApiError as error:
            failure, again = error, _wait(run, error, attempt=attempt)
        else:
            return left, "it was CANCELLED already" if left.phase is Phase.CANCELLED else ""
        try:
            job = run.api.get_job(job_id)
        except ApiError as error:
            _record_refused(run, job_id, failure)
            raise error from failure
        if job.phase not in RUNNING:
            return job, str(failure)
        if not again:
            _record_refused(run, job_id, failure)
            raise failure
        attempt += 1


def _wait(run: Run[Writer], error: ApiError, *, attempt: int) -> bool:
    """Wait before another attempt; return whether one is due."""
    try:
        run.retrier.wait(error, attempt=attempt)
    except ApiError:
        return False
    return not run.world.stop.is_set()


def _read_before(run: Run[Writer], job_id: str) -> Job:
    try:
        return run.api.get_job(job_id)
    except OutcomeUnknownError as error:  # of the read: no cancel was sent
        told = f"not cancelled, since it could not be read: {error}"
        raise ReconcilerError(told, hint="run again") from error


def _intend(run: Run[Writer], job_id: str, *, name: str, reason: str) -> None:
    run.world.ledger.append(
        CancelIntended(
            at=run.world.now(),
            run_id=run.world.run_id,
            job_id=job_id,
            name=name,
            reason=reason,
            commit=run.source.commit,
            actor=run.source.actor,
            run_url=run.source.run_url,
        )
    )


def _record_refused(run: Run[Writer], job_id: str, failure: ApiError) -> None:
    """Record a failure after which the job certainly runs on; otherwise the intent stays what is known."""
    if not isinstance(failure, OutcomeUnknownError):
        _record(run, job_id, status="", error=str(failure))


def _record(run: Run[Writer], job_id: str, *, status: str, error: str) -> None:
    """Record what came of it. The cancel was sent: a ledger that fails now must not fail the run."""
    world = run.world
    line = CancelEnded(at=world.now(), run_id=world.run_id, job_id=job_id, status=status, error=error)
    try:
        world.ledger.append(line)
    except LedgerError as problem:
        world.log("ledger.degraded", error=str(problem))

"""Cancels one job and records it, so that a later run knows who stopped the job.

The tool reads the job, makes the intent durable in the ledger, and sends the cancel. The ledger says that this tool
stopped the job only if the job was running just before and the API accepted the cancel. Otherwise a person may have
stopped it, and a job that a person cancelled is not created again. A cancel that failed is therefore repeated only
after the job was read once more.
"""

from __future__ import annotations

from typing import Final

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, OutcomeUnknownError
from reconciler.context import RunContext
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.ledger.lines import CancelEnded, CancelIntended
from reconciler.model import Job, Phase

RUNNING: Final = (Phase.ACTIVE, Phase.UNKNOWN)
"""Phases of a job that a cancel may still stop."""


def cancel_job(run: RunContext[Writer], job: Job, *, name: str, reason: str) -> Job:
    """Cancel a job and return its new state. A job that has already stopped is returned as it is.

    Raises `LedgerError` if the intent could not be made durable, so nothing was sent; `ApiError` if the job was not
    cancelled, or it is not known whether it was.
    """
    log = run.env.log
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


def _send(run: RunContext[Writer], job_id: str) -> tuple[Job, str]:
    """Send the cancel until the API accepts it, the job stops for another reason, or no attempt is left.

    Return the job after the last attempt, and the last failure if the API accepted no cancel of ours. Raises `ApiError`
    if the job runs on, or could not be read.
    """
    attempt, began = 1, run.env.monotonic()
    while True:
        run.retrier.before_write()
        try:
            left = run.api.cancel_job(job_id)
        except ApiError as error:
            failure, again = error, _wait(run, error, attempt=attempt, began=began)
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


def _wait(run: RunContext[Writer], error: ApiError, *, attempt: int, began: float) -> bool:
    """Wait before another attempt; return whether to make one."""
    try:
        run.retrier.wait(error, attempt=attempt, began=began)
    except ApiError:
        return False
    return not run.env.stop.is_set()


def _read_before(run: RunContext[Writer], job_id: str) -> Job:
    try:
        return run.api.get_job(job_id)
    except OutcomeUnknownError as error:  # of the read: no cancel was sent
        message = f"not cancelled, because it could not be read: {error}"
        raise ReconcilerError(message, hint="run again") from error


def _intend(run: RunContext[Writer], job_id: str, *, name: str, reason: str) -> None:
    run.env.ledger.append(
        CancelIntended(
            at=run.env.now(),
            run_id=run.env.run_id,
            job_id=job_id,
            name=name,
            reason=reason,
            commit=run.source.commit,
            actor=run.source.actor,
            run_url=run.source.run_url,
        )
    )


def _record_refused(run: RunContext[Writer], job_id: str, failure: ApiError) -> None:
    """Record a failure after which the job certainly continues; otherwise the intent stays open."""
    if not isinstance(failure, OutcomeUnknownError):
        _record(run, job_id, status="", error=str(failure))


def _record(run: RunContext[Writer], job_id: str, *, status: str, error: str) -> None:
    """Record the outcome. The cancel was sent: a ledger that fails now must not fail the run."""
    env = run.env
    line = CancelEnded(at=env.now(), run_id=env.run_id, job_id=job_id, status=status, error=error)
    try:
        env.ledger.append(line)
    except LedgerError as problem:
        env.log("ledger.degraded", error=str(problem))

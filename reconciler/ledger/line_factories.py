"""Makes ledger lines from jobs, so that the facts remain after the API has deleted the jobs."""

from __future__ import annotations

from reconciler.ledger.lines import CreateConfirmed, Ended
from reconciler.model import OwnedJob


def created(owned: OwnedJob, *, at: float, run_id: str, recovered: bool) -> CreateConfirmed:
    """Return the line that says that a create took effect.

    Args:
        owned: the job as the API returned it, with the tags that were sent.
        at: wall clock, Unix seconds.
        run_id: the run that writes the line.
        recovered: whether the response was lost and the job was found by its op.
    """
    job, facts = owned.job, owned.tags
    return CreateConfirmed(
        at=at,
        run_id=run_id,
        op=facts.op,
        job_id=job.id,
        name=facts.name,
        work=facts.run_key.work,
        rerun=facts.run_key.rerun,
        attempt=facts.attempt,
        recovered=recovered,
        endpoint=job.endpoint,
        model=job.model or job.agent_id or "",
        requests=facts.requests,
        created_at=job.created_at,
    )


def ended(owned: OwnedJob, *, at: float, run_id: str) -> Ended:
    """Return the line that says how a job has ended, with everything that `history` shows of it."""
    job, facts = owned.job, owned.tags
    return Ended(
        at=at,
        run_id=run_id,
        job_id=job.id,
        name=facts.name,
        work=facts.run_key.work,
        rerun=facts.run_key.rerun,
        attempt=facts.attempt,
        phase=owned.phase,
        status=job.status,
        endpoint=job.endpoint,
        model=job.model or job.agent_id or "",
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        requests=owned.requests,
        succeeded=job.succeeded_requests,
        failed=job.failed_requests,
    )

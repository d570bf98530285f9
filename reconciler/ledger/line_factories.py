"""What a job shows, as lines: taken down while the API still knows it, for the day when it has forgotten."""

from __future__ import annotations

from reconciler.ledger.lines import Created, Ended
from reconciler.model import Job, Ours, RunKey


def created(
    job: Job,
    *,
    at: float,
    run_id: str,
    op: str,
    name: str,
    run_key: RunKey,
    attempt: int,
    requests: int | None,
    adopted: bool,
) -> Created:
    """Return the line that says that a create took effect.

    Args:
        job: as the API returned it.
        at: wall clock, Unix seconds.
        run_id: who writes.
        op: names the create.
        name: the spec's.
        run_key: the work that was bought.
        attempt: at this work, the first being 1.
        requests: how many were bought, None where that is not known.
        adopted: whether the answer was lost and the job was found by its op.
    """
    return Created(
        at=at,
        run_id=run_id,
        op=op,
        job_id=job.id,
        name=name,
        work=run_key.work,
        rerun=run_key.rerun,
        attempt=attempt,
        adopted=adopted,
        endpoint=job.endpoint,
        model=job.model or job.agent_id or "",
        requests=requests,
        created_at=job.created_at,
    )


def ended(ours: Ours, *, at: float, run_id: str) -> Ended:
    """Return the line that says how a job has ended, with all that a history tells of it."""
    job, facts = ours.job, ours.tags
    return Ended(
        at=at,
        run_id=run_id,
        job_id=job.id,
        name=facts.name,
        work=facts.run_key.work,
        rerun=facts.run_key.rerun,
        attempt=facts.attempt,
        phase=ours.phase,
        status=job.status,
        endpoint=job.endpoint,
        model=job.model or job.agent_id or "",
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        requests=ours.requests,
        succeeded=job.succeeded_requests,
        failed=job.failed_requests,
    )

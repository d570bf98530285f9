"""What the workspace shows and the ledger does not know yet is written down."""

from __future__ import annotations

from reconciler.ledger import lines
from reconciler.ledger.lines import CancelEnded, Ended, Line
from reconciler.model import Phase
from reconciler.run import ApiT, Run, Situation


def record_seen(run: Run[ApiT], situation: Situation) -> None:
    """Write down what the workspace shows and the ledger does not know yet.

    How jobs of ours have ended, for the day when the API forgets them; and what came of creates and cancels whose run
    was interrupted before it could say so.
    """
    at, run_id = run.world.now(), run.world.run_id
    memory = situation.memory
    known = memory.jobs
    in_doubt = {intent.op for intent in memory.open_creates}
    over = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT)
    new: list[Line] = []
    for ours in situation.observed.ours:
        job, facts = ours.job, ours.tags
        if facts.op in in_doubt:
            new.append(
                lines.Created(
                    at=at,
                    run_id=run_id,
                    op=facts.op,
                    job_id=job.id,
                    name=facts.name,
                    work=facts.run_key.work,
                    rerun=facts.run_key.rerun,
                    attempt=facts.attempt,
                    adopted=True,
                )
            )
        if ours.phase in over and (job.id not in known or known[job.id].phase is not ours.phase):
            new.append(
                Ended(
                    at=at,
                    run_id=run_id,
                    job_id=job.id,
                    name=facts.name,
                    work=facts.run_key.work,
                    rerun=facts.run_key.rerun,
                    attempt=facts.attempt,
                    phase=ours.phase,
                )
            )
        if job.id in memory.open_cancels and ours.phase in (*over, Phase.CANCELLED):
            new.append(CancelEnded(at=at, run_id=run_id, job_id=job.id, status=job.status))
    run.world.ledger.append(*new)

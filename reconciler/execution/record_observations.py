"""Records what the workspace shows and the ledger does not know yet."""

from __future__ import annotations

from reconciler.context import ApiT, RunContext
from reconciler.ledger.lines import CreateConfirmed, Ended, Line, job_facts
from reconciler.plans.planned_run import Proposal


def record_observations(run: RunContext[ApiT], seen: Proposal) -> None:
    """Record what the workspace shows and the ledger does not know yet.

    These are the ends of our jobs, in case the API deletes them later, and the outcomes of creates whose run was
    interrupted before it could record them. Who stopped a job whose cancel was interrupted cannot be seen afterwards.
    """
    at, run_id = run.env.now(), run.env.run_id
    memory = seen.memory
    known = memory.jobs
    in_doubt = {intent.op for intent in memory.open_creates}
    new: list[Line] = []
    for owned in seen.observed.owned:
        job, facts = owned.job, owned.tags
        about = job_facts(owned)
        if facts.op in in_doubt:
            new.append(CreateConfirmed(at=at, run_id=run_id, op=facts.op, recovered=True, **about))
        if owned.phase.ended and (job.id not in known or known[job.id].phase is not owned.phase):
            new.append(Ended(at=at, run_id=run_id, **about))
    run.env.ledger.append(*new)

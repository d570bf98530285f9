"""Records what the workspace shows and the ledger does not know yet."""

from __future__ import annotations

from reconciler.context import ApiT, RunContext
from reconciler.ledger import line_factories
from reconciler.ledger.lines import Line
from reconciler.plans.planned_run import PlannedRun


def record_observations(run: RunContext[ApiT], planned: PlannedRun) -> None:
    """Record what the workspace shows and the ledger does not know yet.

    These are the ends of our jobs, in case the API deletes them later, and the outcomes of creates whose run was
    interrupted before it could record them. Who stopped a job whose cancel was interrupted cannot be seen afterwards.
    """
    at, run_id = run.env.now(), run.env.run_id
    memory = planned.memory
    known = memory.jobs
    in_doubt = {intent.op for intent in memory.open_creates}
    new: list[Line] = []
    for owned in planned.observed.owned:
        job, facts = owned.job, owned.tags
        if facts.op in in_doubt:
            new.append(line_factories.created(owned, at=at, run_id=run_id, recovered=True))
        if owned.phase.ended and (job.id not in known or known[job.id].phase is not owned.phase):
            new.append(line_factories.ended(owned, at=at, run_id=run_id))
    run.env.ledger.append(*new)

"""What the workspace shows and the ledger does not know yet is written down."""

from __future__ import annotations

from reconciler.context import ApiT, Run
from reconciler.ledger import line_factories
from reconciler.ledger.lines import Line
from reconciler.plans.planned_run import Situation


def record_seen(run: Run[ApiT], situation: Situation) -> None:
    """Write down what the workspace shows and the ledger does not know yet.

    How jobs of ours have ended, for the day when the API forgets them; and what came of creates whose run was
    interrupted before it could record it. Who stopped a job whose cancel was interrupted cannot be seen afterwards.
    """
    at, run_id = run.world.now(), run.world.run_id
    memory = situation.memory
    known = memory.jobs
    in_doubt = {intent.op for intent in memory.open_creates}
    new: list[Line] = []
    for ours in situation.observed.ours:
        job, facts = ours.job, ours.tags
        if facts.op in in_doubt:
            line = line_factories.created(
                job,
                at=at,
                run_id=run_id,
                op=facts.op,
                name=facts.name,
                run_key=facts.run_key,
                attempt=facts.attempt,
                requests=facts.requests,
                adopted=True,
            )
            new.append(line)
        if ours.phase.ended and (job.id not in known or known[job.id].phase is not ours.phase):
            new.append(line_factories.ended(ours, at=at, run_id=run_id))
    run.world.ledger.append(*new)

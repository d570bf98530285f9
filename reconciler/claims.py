"""Creates are claimed in the ledger before anything is sent, and given back where nothing was."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.actions import Create, Plan
from reconciler.api.client import Writer
from reconciler.apply import CREATE
from reconciler.ledger.lines import CreateIntended, CreateRefused
from reconciler.outcomes import Failed, Outcome, Skipped
from reconciler.run import Run


def claims_of(run: Run[Writer], plan: Plan) -> tuple[CreateIntended, ...]:
    """Name every create of a plan beforehand."""
    return tuple(
        CreateIntended(
            at=run.world.now(),
            run_id=run.world.run_id,
            op=run.world.new_op(),
            name=create.spec.name,
            work=create.spec.run_key.work,
            rerun=create.spec.run_key.rerun,
            attempt=create.attempt,
            reason=create.reason,
            lease=run.limits.deadline_seconds,
            commit=run.source.commit,
            actor=run.source.actor,
            run_url=run.source.run_url,
        )
        for create in plan.of(Create)
    )


def release(run: Run[Writer], outcomes: Sequence[Outcome], claims: Sequence[CreateIntended]) -> None:
    """Take back the claims of creates that were not sent, so that nobody waits for them."""
    unsent = {
        outcome.name
        for outcome in outcomes
        if isinstance(outcome, Skipped | Failed) and outcome.action == CREATE
        if not (isinstance(outcome, Failed) and outcome.job)
    }
    at, run_id = run.world.now(), run.world.run_id
    run.world.ledger.append(
        *(
            CreateRefused(at=at, run_id=run_id, op=claim.op, error="not sent")
            for claim in claims
            if claim.name in unsent
        )
    )

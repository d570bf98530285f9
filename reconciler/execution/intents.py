"""Creates are claimed in the ledger before anything is sent, and a claim is given back if its create was not sent."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.api.client import Writer
from reconciler.context import Run
from reconciler.ledger.lines import CreateIntended, CreateRefused
from reconciler.planning.actions import Create, Plan
from reconciler.plans.outcomes import Failed, Outcome, Skipped


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


def release(run: Run[Writer], outcomes: Sequence[Outcome]) -> None:
    """Give back the claims of creates that were not sent, so that no other run waits for them.

    Whatever was sent has its outcome from `create`, or stays open because nobody knows it.
    """
    at, run_id = run.world.now(), run.world.run_id
    run.world.ledger.append(
        *(
            CreateRefused(at=at, run_id=run_id, op=outcome.unsent, error=f"not sent: {_why(outcome)}")
            for outcome in outcomes
            if isinstance(outcome, Skipped | Failed) and outcome.unsent
        )
    )


def _why(outcome: Skipped | Failed) -> str:
    return outcome.why if isinstance(outcome, Skipped) else str(outcome.error)

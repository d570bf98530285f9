"""What a run records in the ledger besides the outcomes of its creates and cancels.

Intents of creates are recorded before anything is sent, and withdrawn if a create was not sent. What the workspace
shows is recorded if the ledger does not know it yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from reconciler.api.client import Writer
from reconciler.context import ApiT, RunContext
from reconciler.ledger.lines import (
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    Ended,
    Line,
    WorkSeen,
    job_facts,
)
from reconciler.model.money import Estimate
from reconciler.planning.actions import Create, Plan
from reconciler.planning.bound import rules_digest
from reconciler.plans.outcomes import Failed, Outcome, Skipped
from reconciler.plans.planned_run import Proposal


def plan_intents(run: RunContext[Writer], plan: Plan) -> tuple[CreateIntended, ...]:
    """Return an intent with a new op for every create of a plan, with a lease for as long as it may be sent."""
    lease = run.limits.deadline_seconds
    return tuple(create_intent(run, create, run.env.new_op(), lease=lease) for create in plan.of(Create))


def create_intent(run: RunContext[Writer], create: Create, op: str, *, lease: float = 0.0) -> CreateIntended:
    """Return the intent of one create."""
    return CreateIntended(
        at=run.env.now(),
        run_id=run.env.run_id,
        op=op,
        name=create.spec.name,
        work=create.spec.run_key.work,
        rerun=create.spec.run_key.rerun,
        attempt=create.attempt,
        reason=create.reason,
        **_reserved(create.estimate),
        lease=lease,
        commit=run.source.commit,
        actor=run.source.actor,
        run_url=run.source.run_url,
        pull=run.source.pull,
        plan=run.source.plan,
        event=run.source.event,
        approver=run.source.approver,
    )


def _reserved(estimate: Estimate | None) -> dict[str, Any]:
    return {"most": estimate.at_most, "currency": estimate.currency} if estimate else {}


def withdraw(run: RunContext[Writer], outcomes: Sequence[Outcome]) -> None:
    """Withdraw the intents of creates that were not sent, so that no other run waits for them.

    `create` records the outcome of a create that was sent; one with an unknown outcome stays open.
    """
    at, run_id = run.env.now(), run.env.run_id
    run.env.ledger.append(
        *(
            CreateRefused(at=at, run_id=run_id, op=outcome.unsent, error=f"not sent: {_why(outcome)}")
            for outcome in outcomes
            if isinstance(outcome, Skipped | Failed) and outcome.unsent
        )
    )


def _why(outcome: Skipped | Failed) -> str:
    return outcome.why if isinstance(outcome, Skipped) else str(outcome.error)


def record_observations(run: RunContext[ApiT], seen: Proposal) -> None:
    """Record what the workspace shows and the ledger does not know yet.

    These are the ends of our jobs, in case the API deletes them later, what the results of whole works show, and the
    outcomes of creates whose run was interrupted before it could record them. Who stopped a job whose cancel was
    interrupted cannot be seen afterwards.
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
    run.env.ledger.append(*new, *works_seen(run, seen))


def works_seen(run: RunContext[ApiT], found: Proposal) -> Iterator[WorkSeen]:
    """Yield what results show of each work whose jobs have all ended and can all be read, if the ledger differs."""
    for spec in found.declared.specs:
        work, own = found.works.get(spec.name), set[str]()
        if work is None or not work.settled:
            continue
        own.update(it.job.id for it in found.observed.owned if it.tags.run_key in spec.run_keys)
        jobs = own.intersection(work.coverage.donors).union(work.coverage.reused())
        line = WorkSeen(
            at=run.env.now(),
            run_id=run.env.run_id,
            name=spec.name,
            work=spec.run_key.work,
            rerun=spec.run_key.rerun,
            counts=work.counts,
            rules=rules_digest(spec),
            jobs=tuple(sorted(jobs)),
        )
        known = found.memory.seen.get(spec.run_key)
        if own and (known is None or replace(line, at=known.at, run_id=known.run_id) != known):
            yield line

"""One run, whole: look, decide, claim, do, settle. The commands add words to it, and the simulation adds faults.

What it works on is a `Run`: the API, the world, the target and the settings. Nothing here knows of the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from reconciler.api.client import Writer
from reconciler.context import ApiT, Run
from reconciler.errors import LedgerError, ReconcilerError, StalePlanError
from reconciler.execution import intents as claimed
from reconciler.execution import record_observations
from reconciler.execution.apply import Applier
from reconciler.execution.duplicates import my_duplicates, until_listed
from reconciler.ledger.lines import CreateIntended
from reconciler.ledger.memory import Memory, remember
from reconciler.model import Declared, RunKey
from reconciler.planning.actions import Plan
from reconciler.planning.planner import plan
from reconciler.plans import staleness
from reconciler.plans.approval import Agreement
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Created, Outcome
from reconciler.plans.planned_run import Situation
from reconciler.plans.staleness import Reduced
from reconciler.runs.gather import gather, logged, look, situation_of

ROUNDS: Final = 8
"""So often a plan is made again because another runner wrote first."""


def only_what_holds(run: Run[ApiT], situation: Situation, saved: PlanDoc) -> Situation:
    """Cut a fresh plan down to a saved one, and say what differs harmlessly.

    Raises:
        StalePlanError: a saved action no longer holds, or the plan was made for another target.
    """
    staleness.check_target(saved, run.target)
    reduced = staleness.reduced(saved, situation.plan, situation.observed)
    if reduced.broken:
        raise StalePlanError(
            "the saved plan no longer holds, and nothing was done: " + "; ".join(reduced.broken),
            hint="look at a fresh plan, and save that: reconciler plan -o plan.json",
        )
    return _cut(run, situation, reduced)


def only_what_is_left(run: Run[ApiT], situation: Situation, agreed: PlanDoc) -> Situation:
    """Cut a fresh plan down to what was agreed to, where another runner has done or begun some of it meanwhile."""
    return _cut(run, situation, staleness.reduced(agreed, situation.plan, situation.observed))


def _cut(run: Run[ApiT], situation: Situation, reduced: Reduced) -> Situation:
    told = [f"skipped, no longer needed: {line}" for line in reduced.satisfied]
    told += [f"left to the runner that was first: {line}" for line in reduced.broken]
    told += [f"not in the saved plan, left alone: {line}" for line in reduced.extra]
    return situation_of(
        run, situation.declared, situation.observed, situation.memory, reduced.plan, told=tuple(told)
    )


def only_what_was_agreed_to(run: Run[ApiT], situation: Situation, within: Agreement) -> Situation:
    """Cut a fresh plan down to what a later round may do, and ask the guards about that."""
    cut = within.cut(situation.plan)
    return situation_of(run, situation.declared, situation.observed, situation.memory, cut)


def apply(
    run: Run[Writer],
    declared: Declared,
    agree: Callable[[Situation], bool],
    *,
    saved: PlanDoc | None = None,
    within: Agreement | None = None,
) -> tuple[Situation, tuple[Outcome, ...]]:
    """Carry out what is declared, or what a saved plan holds of it.

    Where the ledger is shared and another runner writes first, everything is gathered and planned again, and of what
    was agreed to the first time is done what is left: nothing else, and nothing that the other has begun.

    Args:
        run: what to work with.
        declared: what git says.
        agree: shows the plan and asks; raises what the guards say.
        saved: the plan that was agreed to beforehand.
        within: what a later round of the same run may do; nothing else is done.

    Raises:
        StalePlanError: a saved action no longer holds.
        LedgerError: the ledger can be neither read nor written; nothing was bought.
        ApiError: the API could not be read.
    """
    agreed, first = False, None
    for _ in range(ROUNDS):
        situation = gather(run, declared, to_create=True)
        record_observations.record_seen(run, situation)
        if first is not None:
            situation = only_what_is_left(run, situation, first)
        elif saved is not None:
            situation = only_what_holds(run, situation, saved)
        if within is not None:
            situation = only_what_was_agreed_to(run, situation, within)
        logged(run, situation)
        agreed = agreed or agree(situation)
        outcomes: tuple[Outcome, ...] = ()
        # The lease that others see counts from here, so our time does, however long the claiming takes.
        give_up_at = run.world.monotonic() + run.limits.deadline_seconds
        claims = claimed.claims_of(run, situation.plan) if agreed else ()
        if run.world.ledger.claim(claims):
            if agreed and situation.plan.pending:
                outcomes = _carry_out(run, situation, claims, give_up_at=give_up_at)
            publish(run)
            return situation, outcomes
        run.world.log("ledger.raced")
        first = situation.document
    raise LedgerError(
        f"other runners wrote to the shared ledger first, {ROUNDS} times in a row",
        hint="nothing was bought; run again, or let CI run one apply at a time",
    )


def _carry_out(
    run: Run[Writer], situation: Situation, claims: Sequence[CreateIntended], *, give_up_at: float
) -> tuple[Outcome, ...]:
    run.world.log("apply.started", decisions=sum(it.pending for it in situation.plan.decisions))
    ops = {RunKey(claim.work, claim.rerun): claim.op for claim in claims}
    applier = Applier(replace(run, give_up_at=give_up_at, ops=ops))
    outcomes = applier.apply(situation.plan)
    try:
        claimed.release(run, outcomes)
        if any(isinstance(outcome, Created) for outcome in outcomes):
            outcomes += applier.apply(_duplicates(run, situation, outcomes))
    except ReconcilerError as error:  # what was done is done; the next apply looks again
        run.world.log("apply.not_settled", error=str(error))
    finally:
        run.world.progress.end()
    return outcomes


def publish(run: Run[Writer]) -> None:
    """Let other runners see what was recorded; where that fails, the next run does it."""
    try:
        run.world.ledger.publish()
    except LedgerError as error:  # the next run publishes what this one could not
        run.world.log("ledger.not_published", error=str(error))


def _duplicates(run: Run[Writer], situation: Situation, outcomes: Sequence[Outcome]) -> Plan:
    """Plan once more on what the list shows now, for the duplicates that this run has made."""
    memory = remember(run.world.ledger.read(), settle_seconds=run.limits.settle_seconds)
    observed = until_listed(
        run,
        lambda: look(run, situation.declared, Memory()),  # the list alone: a later run may have no ledger
        outcomes,
    )
    again = plan(situation.declared, observed, memory, now=run.world.now())
    return my_duplicates(again, outcomes, run.api)

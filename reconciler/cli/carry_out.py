"""The second half of `apply`: do what the plan holds, wait until the list shows it, settle duplicates of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from reconciler import holds
from reconciler.actions import Plan
from reconciler.api.client import Writer
from reconciler.apply import Applier
from reconciler.cli.gather import Situation, look
from reconciler.cli.session import Session
from reconciler.document import PlanDoc
from reconciler.errors import ExitCode, ReconcilerError, StalePlanError
from reconciler.guards import refusals
from reconciler.ledger.memory import remember
from reconciler.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown
from reconciler.planner import plan
from reconciler.settle import my_duplicates, until_listed


def only_what_holds(
    session: Session[Writer], situation: Situation, saved: PlanDoc
) -> tuple[Situation, tuple[str, ...]]:
    """Cut the fresh plan down to the saved one, and say what differs harmlessly.

    Raises:
        StalePlanError: a saved action no longer holds, or the plan was made for another target.
    """
    holds.check_target(saved, session.target)
    reduced = holds.reduce(saved, situation.plan, situation.observed)
    if reduced.broken:
        raise StalePlanError(
            "the saved plan no longer holds, and nothing was done: " + "; ".join(reduced.broken),
            hint="look at a fresh plan, and save that: reconciler plan -o plan.json",
        )
    told = [f"skipped, no longer needed: {line}" for line in reduced.satisfied]
    told += [f"not in the saved plan, left alone: {line}" for line in reduced.extra]
    proposal = replace(situation.proposal, plan=reduced.plan)
    return replace(situation, plan=reduced.plan, refusals=refusals(proposal)), tuple(told)


def carry_out(session: Session[Writer], situation: Situation) -> tuple[Outcome, ...]:
    """Do what the plan holds."""
    applier = Applier(
        session.api,
        session.world,
        session.project.settings.limits,
        project=session.target.project,
        source=session.source,
        root=session.project.root,
    )
    session.world.log("apply.started", decisions=sum(it.pending for it in situation.plan.decisions))
    outcomes = applier.apply(situation.plan)
    if not any(isinstance(outcome, Created) for outcome in outcomes):
        return outcomes
    try:
        return outcomes + applier.apply(_duplicates(session, situation, outcomes))
    except ReconcilerError as error:  # what was done is done: the next apply looks again
        session.world.log("apply.not_settled", error=str(error))
        return outcomes


def _duplicates(session: Session[Writer], situation: Situation, outcomes: Sequence[Outcome]) -> Plan:
    """Plan once more on what the list shows now, for the duplicates that this run has made."""
    limits = session.project.settings.limits
    memory = remember(session.ledger.read(), settle_seconds=limits.settle_seconds)
    settled = until_listed(
        lambda: look(session, situation.declared, memory),
        outcomes,
        session.world,
        settle_seconds=limits.settle_seconds,
    )
    again = plan(situation.declared, settled.observed, memory, now=session.world.now())
    return my_duplicates(again, outcomes, session.api)


def log_finished(session: Session[Writer], outcomes: Sequence[Outcome], code: ExitCode) -> None:
    """Tell the end of an apply in numbers."""
    kinds = Counter(type(outcome) for outcome in outcomes)
    adopted = sum(isinstance(outcome, Created) and outcome.adopted for outcome in outcomes)
    session.world.log(
        "apply.finished",
        created=kinds[Created],
        adopted=adopted,
        cancelled=kinds[Cancelled],
        failed=kinds[Failed],
        unknown=kinds[Unknown],
        skipped=kinds[Skipped],
        exit_code=int(code),
        elapsed_ms=round((session.world.monotonic() - session.began) * 1000),
    )

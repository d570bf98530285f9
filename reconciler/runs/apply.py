"""One whole run: gather, plan, record intents, apply, check for duplicates.

The input is a `RunContext`: the API, the environment, the target and the settings. Nothing here depends on the command
line, so that the simulation runs the same code with faults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from msgspec import structs

from reconciler.api.client import Writer
from reconciler.context import ApiT, RunContext
from reconciler.errors import LedgerError, ReconcilerError, StalePlanError
from reconciler.execution import records
from reconciler.execution.after_create import own_duplicates, until_listed
from reconciler.execution.apply import Applier
from reconciler.ledger.lines import CreateIntended
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, RunKey
from reconciler.planning.actions import Create, Hold, Plan
from reconciler.planning.guard_input import Approved
from reconciler.planning.planner import plan
from reconciler.planning.standing import Standing
from reconciler.plans import agreement, staleness
from reconciler.plans.action_documents import CreateDoc
from reconciler.plans.agreement import AgreedPlan
from reconciler.plans.approval import Approval
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import CREATE, Created, Failed, Outcome
from reconciler.plans.planned_run import PlannedRun, Proposal
from reconciler.plans.staleness import SavedPlanResult
from reconciler.runs.gather import propose, read_workspace
from reconciler.runs.guarded import check, narrow
from reconciler.runs.known_requests import identify_requests
from reconciler.workspace.recall import recall

MAX_ROUNDS: Final = 12
"""How often a run plans again because another runner wrote first."""


def restrict_to_saved(run: RunContext[ApiT], fresh: Proposal, saved: PlanDoc) -> Proposal:
    """Reduce a fresh plan to a saved one, and say which differences are harmless.

    Raises `StalePlanError` if a saved action no longer holds, or the plan was made for another target.
    """
    staleness.check_target(saved, run.target)
    result = staleness.reconcile_saved_plan(saved, fresh.plan, fresh.observed)
    if result.broken:
        raise StalePlanError(
            "the saved plan no longer holds, and nothing was done: " + "; ".join(result.broken),
            hint="review a fresh plan, and save it: reconciler plan -o plan.json",
        )
    return _restrict(fresh, result, saved)


def restrict_to_agreed(fresh: Proposal, plans: Sequence[AgreedPlan]) -> Proposal:
    """Reduce a fresh plan to plans that were agreed to, and to what continues earlier work."""
    result = agreement.restrict_to_agreed(plans, fresh.plan, fresh.observed)
    numbers = [it.document.approved for it in plans]
    approved = Approved(
        answers={job: answers for it in numbers for job, answers in it.answers.items()},
        active=max((it.active for it in numbers), default=0),
    )
    return replace(fresh, plan=result.plan, not_agreed=result.refusals, approved=approved)


def _restrict(fresh: Proposal, result: SavedPlanResult, approved: PlanDoc) -> Proposal:
    remarks = [f"skipped, no longer needed: {line}" for line in result.satisfied]
    remarks += [f"left to the runner that wrote first: {line}" for line in result.broken]
    remarks += [f"not in the saved plan, left alone: {line}" for line in result.extra]
    return replace(fresh, plan=result.plan, remarks=tuple(remarks), approved=approved.approved)


def _still_held(document: PlanDoc, approved: PlanDoc, wanted: frozenset[str]) -> PlanDoc:
    """Add the guards that held back, when a plan was approved, what is still wanted: the approved plan lacks it."""
    known = {guard.guard for guard in document.guards}
    more = (
        structs.replace(guard, hint=f"plan again: {guard.hint}")
        for guard in approved.guards
        if guard.guard not in known and wanted.intersection(guard.held)
    )
    return structs.replace(document, guards=(*document.guards, *more))


def plan_and_apply(
    run: RunContext[Writer],
    declared: Declared,
    approve: Callable[[PlannedRun], bool],
    *,
    asks: bool = False,
    saved: PlanDoc | None = None,
    agreed: Sequence[AgreedPlan] | None = None,
    approval: Approval | None = None,
) -> tuple[PlannedRun, tuple[Outcome, ...]]:
    """Plan and carry out the declared specs, or the saved plan.

    If the ledger is shared and another runner writes first, the run gathers and plans again. Then it does only what is
    left of the actions that were approved the first time: nothing else, and nothing that the other runner has begun.

    Args:
        run: what to work with.
        declared: what git says.
        approve: shows the plan and asks.
        asks: whether a person reads the plan and answers. Otherwise nothing is created that rests on the ledger alone.
        saved: the plan that was approved beforehand.
        agreed: the plans that were agreed to, the oldest first, if the run does nothing else.
        approval: what a later round of the same run may do. Nothing else is done.

    Raises `StalePlanError` if a saved action no longer holds; `LedgerError` if the ledger cannot be read or written,
    and nothing was created; `ApiError` if the API could not be read.
    """
    approved = False
    first: PlanDoc | None = None
    for _ in range(MAX_ROUNDS):
        fresh = propose(run, declared)
        wanted = frozenset(it.name for it in fresh.plan.decisions if it.pending)
        records.record_observations(run, fresh)
        if saved is not None:  # otherwise the saved plan would be called stale
            for it in saved.decisions:
                if it.name in run.unfetched and it.of(CreateDoc):
                    raise run.unfetched[it.name]
        cut = partial(_cut, run=run, asks=asks, first=first, saved=saved, agreed=agreed, approval=approval)
        planned = check(run, narrow(run, fresh, cut))
        if (before := first or saved) is not None:
            planned = replace(planned, document=_still_held(planned.document, before, wanted))
        approved = approved or approve(planned)
        identify_requests(run, planned.plan.of(Create) if approved else ())
        run.retrier.restart()
        outcomes: tuple[Outcome, ...] = ()
        # The lease that others see starts here, so our deadline does too, however long recording takes.
        give_up_at = run.env.monotonic() + run.limits.deadline_seconds
        intended = records.plan_intents(run, planned.plan) if approved else ()
        if run.env.ledger.claim(intended):
            if approved and planned.plan.pending:
                outcomes = _carry_out(run, planned, intended, give_up_at=give_up_at)
            publish(run)
            return planned, (*outcomes, *(_unfetched(run, planned) if approved else ()))
        run.env.log("ledger.conflict")
        first = planned.document
    raise LedgerError(
        f"other runners wrote to the shared ledger first, {MAX_ROUNDS} times in a row",
        hint="nothing was created; run again, or let CI run one apply at a time",
    )


def _unfetched(run: RunContext[ApiT], planned: PlannedRun) -> tuple[Outcome, ...]:
    """Return a failure for each create that was not tried, because an input could not be fetched; once in a run."""
    decisions = [it for it in planned.plan.decisions if it.standing is Standing.INPUT_NEEDED]
    holds = {
        it.name: hold
        for it in decisions
        for hold in it.of(Hold)
        if f"unfetched {it.name}" not in run.reported
    }
    run.reported.update(f"unfetched {name}" for name in holds)
    return tuple(
        Failed(name=name, action=CREATE, error=ReconcilerError(it.detail, hint=it.hint))
        for name, it in holds.items()
    )


def _cut(
    fresh: Proposal,
    *,
    run: RunContext[ApiT],
    asks: bool,
    first: PlanDoc | None,
    saved: PlanDoc | None,
    agreed: Sequence[AgreedPlan] | None,
    approval: Approval | None,
) -> Proposal:
    """Reduce a fresh plan to what was approved in any way. Raises what `plan_and_apply` raises."""
    if first or saved or not asks:
        shown = [it.document for it in agreed or ()] + ([saved] if saved else [])
        fresh = replace(
            fresh,
            plan=agreement.hold_unagreed(
                fresh.plan, *([first] if first else shown), approved=approval.replaced if approval else ()
            ),
        )
    if first is not None:
        # What another runner has done or begun meanwhile is left to it.
        remaining = staleness.reconcile_saved_plan(first, fresh.plan, fresh.observed)
        fresh = _restrict(fresh, remaining, first)
    elif saved is not None:
        fresh = restrict_to_saved(run, fresh, saved)
    elif agreed is not None:
        fresh = restrict_to_agreed(fresh, agreed)
    return fresh if approval is None else replace(fresh, plan=approval.restrict(fresh.plan))


def _carry_out(
    run: RunContext[Writer], planned: PlannedRun, intended: Sequence[CreateIntended], *, give_up_at: float
) -> tuple[Outcome, ...]:
    run.env.log("apply.started", decisions=sum(it.pending for it in planned.plan.decisions))
    ops = {RunKey(it.work, it.rerun): it.op for it in intended}
    applier = Applier(replace(run, give_up_at=give_up_at, ops=ops))
    outcomes = applier.apply(planned.plan)
    try:
        records.withdraw(run, outcomes)
        if any(isinstance(outcome, Created) for outcome in outcomes):
            outcomes += applier.apply(_duplicates(run, planned, outcomes))
    except ReconcilerError as error:  # the creates stay; the next apply checks again
        run.env.log("apply.duplicate_check_failed", error=str(error))
    finally:
        run.env.progress.end()
    return outcomes


def publish(run: RunContext[ApiT]) -> None:
    """Let other runners see what was recorded; if that fails, the next run does it."""
    try:
        run.env.ledger.publish()
    except LedgerError as error:  # the next run publishes what this one could not
        run.env.log("ledger.not_published", error=str(error))


def _duplicates(run: RunContext[Writer], planned: PlannedRun, outcomes: Sequence[Outcome]) -> Plan:
    """Plan once more from the current list, to find duplicates that this run has created."""
    memory = recall(run).memory
    observed = until_listed(
        run,
        lambda: read_workspace(
            run, planned.declared, Memory()
        ),  # the list alone: a later run may have no ledger
        outcomes,
    )
    again = plan(planned.declared, observed, memory, now=run.env.now())
    return own_duplicates(again, outcomes, run.api)

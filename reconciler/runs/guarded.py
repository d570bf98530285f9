"""What quota and guards let go of a plan, and its document."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec

from reconciler.context import ApiT, RunContext
from reconciler.cost.actual import actual_cost
from reconciler.ledger.lines import UsageSeen
from reconciler.planning.actions import Create
from reconciler.planning.guard_input import GuardInput
from reconciler.planning.guards import refusals, sendable
from reconciler.planning.hold_back import hold_back
from reconciler.planning.quota import Quota, apply_quota
from reconciler.planning.spending import spending
from reconciler.planning.standing import Standing
from reconciler.plans import plan_file
from reconciler.plans.document import PolicyDoc
from reconciler.plans.planned_run import PlannedRun, Proposal
from reconciler.runs.models import about_models
from reconciler.text.timestamps import month_began


def quota_of(run: RunContext[ApiT]) -> Quota:
    """Return how many requests may be pending."""
    return Quota(workspace=run.limits.max_workspace_pending, project=run.limits.max_pending)


def narrow(run: RunContext[ApiT], fresh: Proposal, cut: Callable[[Proposal], Proposal]) -> Proposal:
    """Reduce a plan to what `cut` leaves. What is left out, or held by a guard, takes no room of the quota."""

    def bounded(sent: set[str]) -> Proposal:
        plan = apply_quota(fresh.unbounded, fresh.observed.pending, quota_of(run), sent)
        return cut(dataclasses.replace(fresh, plan=plan))

    sent = sendable(_guard_input(run, cut(dataclasses.replace(fresh, plan=fresh.unbounded))))
    left = bounded(sent)
    if all(it.standing is not Standing.NO_ROOM for it in left.plan.decisions):
        return left
    held = _held(run, left)
    more = bounded(sent - held)
    return more if held <= _held(run, more) else left  # one that is sent after all would need its room


def check(run: RunContext[ApiT], it: Proposal) -> PlannedRun:
    """Hold back what guards refuse, make the plan's document, and log the plan in numbers and the guards' refusals."""
    guard_input = _guard_input(run, it)
    found, policy = refusals(guard_input), run.project.policy
    left = hold_back(it.plan, found)
    document = plan_file.plan_document(
        left,
        target=run.target,
        checkout=run.checkout,
        declared=it.declared,
        observed=it.observed,
        refusals=(*it.not_agreed, *found),
        active=guard_input.active,
        policy=PolicyDoc(file=policy.document.source.path, sha256=policy.sha256) if policy else None,
        models=about_models(run, it),
        now=guard_input.now,
    )
    facts = msgspec.structs.asdict(document.summary)
    cost = facts.pop("cost")
    run.env.log("plan.computed", cost_at_most=(cost and cost.estimate.at_most) or 0, **facts)
    for refusal in document.guards:
        run.env.log("guard.refused", guard=refusal.guard, message=refusal.message, names=len(refusal.held))
    return PlannedRun(**(vars(it) | {"plan": left}), proposed=it.plan, document=document)


def _held(run: RunContext[ApiT], it: Proposal) -> set[str]:
    """Return the names whose creates guards refuse."""
    given = _guard_input(run, it)
    return {name for refusal in refusals(given) for name in refusal.held}.intersection(given.creating)


def _guard_input(run: RunContext[ApiT], it: Proposal) -> GuardInput:
    return GuardInput(
        plan=it.plan,
        declared=it.declared,
        observed=it.observed,
        memory=it.memory,
        settings=run.guards,
        now=run.env.now(),
        approved=it.approved,
        apply_from=run.apply_from,
        checkout=run.checkout,
        **_money(run, it),
    )


def _money(run: RunContext[ApiT], it: Proposal) -> dict[str, Any]:
    """Return what budgets of costs need, if any is set and anything is to be created."""
    guards, now = run.guards, run.env.now()
    budgets = (guards.max_cost, guards.max_cost_per_day, guards.max_cost_per_month)
    if budgets == (None, None, None) or not it.plan.of(Create):
        return {}
    prices = run.prices

    def cost(seen: UsageSeen, at: int) -> int | None:
        found = actual_cost(prices, seen.model, at, seen.usage)
        return None if found is None or found.lower_bound else found.micros

    month = month_began(max(0.0, now - run.limits.settle_seconds))
    spent = spending(
        it.observed, it.memory, cost_of=cost, currency=prices.currency, now=now, month_began=month
    )
    return {"spending": spent, "currency": prices.currency}

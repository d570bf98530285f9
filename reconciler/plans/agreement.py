"""What an unattended run may do: what agreed plans contain, and what continues earlier work. Pure.

Without an agreed plan, no run creates what rests on the ledger alone: anyone who may push can add lines to it.

A team agrees to a plan by merging the pull request that shows it, or by confirming its digest. Several plans may wait:
of each name, the plan that was agreed to last counts. A plan that no longer holds is refused as a whole, and the others
go on. Without another review, a run may also

    create a further attempt of submitted work, or its rest      standing RETRY or PART
    create the work of the next period of `rerun: {every: …}`    if a job of the name did it in an earlier period
    create what an agreed plan held until there is room          or until another job has ended
    cancel a duplicate                                           it loses nothing

with no larger `retry.max_attempts` than that of the job or plan which it continues. Everything else is held, and needs
a reviewed plan.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model import JobSpec, Observed, RunKey
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.planning.guard_input import Refusal
from reconciler.planning.hold_back import hold_create
from reconciler.planning.standing import WAITS, Standing
from reconciler.plans import staleness
from reconciler.plans.approval import NamedWork, replaced_work
from reconciler.plans.document import CancelDoc, CreateDoc, PlanDoc
from reconciler.text.suggest import some

LEDGER_HINT: Final = (
    "review and apply a saved plan: reconciler plan -o plan.json, then reconciler apply plan.json"
)
HINT: Final = "review a plan that contains it: merge its pull request, or save the plan and apply it"
_PERIODS: Final = {
    "day": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "week": re.compile(r"[0-9]{4}-W[0-9]{2}"),
    "month": re.compile(r"[0-9]{4}-[0-9]{2}"),
}
"""The names of periods, as `specs.period` writes them."""


class AgreedPlan(Struct, frozen=True):
    """A saved plan that was agreed to."""

    document: PlanDoc
    label: str
    """For messages: the name of its file."""


class AgreedResult(Struct, frozen=True, kw_only=True):
    """A fresh plan, reduced to what was agreed to."""

    plan: Plan
    """What was not agreed to is a hold in it."""
    refusals: tuple[Refusal, ...]
    """Plans that no longer hold, and names about which no agreed plan says what would be done."""


def restrict_to_agreed(plans: Sequence[AgreedPlan], fresh: Plan, observed: Observed) -> AgreedResult:
    """Reduce a fresh plan to agreed plans, the oldest first, and to what continues earlier work."""
    newest = {
        decision.name: plan
        for plan in plans
        for decision in plan.document.decisions
        if decision.pending or decision.standing in WAITS
    }
    submitted = {
        NamedWork(owned.tags.name, owned.tags.run_key): owned.tags.cap
        for owned in sorted(observed.owned, key=lambda owned: owned.job.age_key)
    }
    pending = {it.name for it in fresh.decisions if it.pending}

    def done(key: staleness.ActionKey, action: CreateDoc | CancelDoc) -> bool:
        return (
            isinstance(action, CreateDoc)
            and NamedWork(key[1], RunKey(action.work, action.rerun)) in submitted
        )

    allowed: dict[staleness.ActionKey, CreateDoc | CancelDoc] = {}
    waiting: dict[NamedWork, int] = {}
    refusals: list[Refusal] = []
    stale: set[str] = set()
    for plan in plans:
        own = [it for it in plan.document.decisions if newest.get(it.name) is plan]
        promised = staleness.promises(own)
        changed = {
            key: action for key, action in promised.items() if key[1] in pending and not done(key, action)
        }
        _, broken = staleness.compare(changed, fresh, observed)
        if broken:
            refusals.append(Refusal("stale_plan", f"{plan.label} no longer holds: {'; '.join(broken)}", HINT))
            stale |= {it.name for it in own}
        else:
            allowed |= promised
            waiting |= {
                NamedWork(it.name, RunKey(it.work, it.rerun)): it.max_attempts
                for it in own
                if it.standing in WAITS
            }

    def cap(decision: Decision, create: Create) -> int:
        """Return the largest `max_attempts` that was agreed to for the work of a create, 0 if none was."""
        work = NamedWork(create.spec.name, create.spec.run_key)
        promised = allowed.get(staleness.action_key(decision.name, create))
        retried = submitted.get(work, 0) if decision.standing in (Standing.RETRY, Standing.PART) else 0
        return max(
            promised.settings.retry.max_attempts if isinstance(promised, CreateDoc) else 0,
            waiting.get(work, 0),
            retried or _earlier_period(create.spec, submitted),
        )

    def agreed_to(decision: Decision, action: Action) -> bool:
        match action:
            case Create(spec=spec):
                return spec.retry.max_attempts <= cap(decision, action)
            case Cancel():
                return (
                    action.duplicate_of is not None or staleness.action_key(decision.name, action) in allowed
                )
            case _:
                return True

    held = {it.name for it in fresh.decisions if not all(agreed_to(it, action) for action in it.actions)}
    raised = {
        it.name: f"retry.max_attempts was raised from {agreed} to {create.spec.retry.max_attempts}"
        for it in fresh.decisions
        for create in it.of(Create)
        if 0 < (agreed := cap(it, create)) < create.spec.retry.max_attempts
    }
    if unknown := sorted(held - stale):
        message = f"no agreed plan contains what is declared now for {some(unknown)}"
        message += "".join(f"; {name}: {raised[name]}" for name in unknown if name in raised)
        refusals.append(Refusal("not_agreed", message, HINT, tuple(unknown)))
    decisions = tuple(_held(it, raised.get(it.name, "")) if it.name in held else it for it in fresh.decisions)
    return AgreedResult(plan=replace(fresh, decisions=decisions), refusals=tuple(refusals))


def _earlier_period(spec: JobSpec, submitted: Mapping[NamedWork, int]) -> int:
    """Return the cap of the last job of the name that did the same work in a period of the same length, or 0."""
    works = {key.work for key in spec.run_keys}
    caps = [
        cap
        for (name, key), cap in submitted.items()
        if spec.period
        and name == spec.name
        and key.work in works
        and _PERIODS[spec.period].fullmatch(key.rerun)
    ]
    return caps[-1] if caps else 0


def _held(decision: Decision, raised: str) -> Decision:
    """Hold everything that a decision would write, except cancels of duplicates."""
    for create in decision.of(Create):
        detail = f"{create.reason}, {f'{raised}, ' if raised else ''}and no agreed plan contains it"
        hold = Hold(reason=Reason.NOT_AGREED, detail=detail, hint=HINT, attention=True)
        return hold_create(decision, hold, Standing.NOT_AGREED, "needs an agreement")
    actions = (
        Keep(
            job=action.owned.job,
            reason=Reason.RUNNING,
            detail=f"no agreed plan contains its cancel ({action.reason})",
            attention=True,
        )
        if isinstance(action, Cancel) and action.duplicate_of is None
        else action
        for action in decision.actions
    )
    return replace(decision, standing=Standing.NOT_AGREED, actions=tuple(actions))


def hold_unagreed(plan: Plan, *agreed: PlanDoc, approved: Collection[NamedWork] = ()) -> Plan:
    """Hold the creates that rest on the ledger alone, unless an agreed plan says so of the same create.

    A person agrees at the prompt, or to a saved plan. The plan that they saw says on what each create rests, or that it
    waits until a job has stopped which that plan cancels; `approved` is such work of earlier rounds of the same run.
    """
    decisions = [decision for document in agreed for decision in document.decisions]
    known = {
        *approved,
        *(
            NamedWork(it.name, RunKey(create.work, create.rerun))
            for it in decisions
            for create in it.of(CreateDoc)
            if create.rests_on_ledger
        ),
        *filter(None, map(replaced_work, decisions)),
    }

    def held(decision: Decision) -> Decision:
        for create in decision.of(Create):
            if create.rests_on_ledger and NamedWork(decision.name, create.spec.run_key) not in known:
                detail = f"only by the ledger: {create.rests_on_ledger}"
                hold = Hold(reason=Reason.NOT_AGREED, detail=detail, hint=LEDGER_HINT, attention=True)
                return hold_create(decision, hold, Standing.NOT_AGREED, "needs an agreement")
        return decision

    return replace(plan, decisions=tuple(map(held, plan.decisions)))

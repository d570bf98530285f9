"""What an unattended run may do: what agreed plans contain, and what continues earlier work. Pure.

Without an agreed plan, no run creates what rests on the ledger alone: anyone who may push can add lines to it.

A team agrees to a plan by merging the pull request that shows it, or by confirming its digest. Several plans may wait:
of each name, the plan that was agreed to last counts. A plan that no longer holds is refused as a whole, and the others
go on. Without another review, a run may also

    create a further attempt of submitted work                   standing RETRY or PART
    create the rest that its newest job left for a later part    standing PART
    create the work of the next period of `rerun: {every: …}`    if a job of the name did it in an earlier period
    create what an agreed plan held until there is room          or until another job has ended
    cancel a duplicate                                           it loses nothing

if the job or plan that it continues allows it: with no larger `retry.max_attempts` or other `retry.on`, no smaller
canary, no looser checks of one, and no more requests in all. Everything else is held, and needs a reviewed plan.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model import JobSpec, Observed, OwnedJob, RunKey, Terms
from reconciler.planning.actions import Cancel, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.planning.guard_input import Refusal
from reconciler.planning.hold_back import hold_create
from reconciler.planning.standing import CONTINUES, WAITS, Standing
from reconciler.plans import staleness
from reconciler.plans.action_documents import CancelDoc, CreateDoc
from reconciler.plans.approval import NamedWork, replaced_work
from reconciler.plans.document import PlanDoc
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


class Bound(NamedTuple):
    """How far an agreement to a create goes."""

    terms: Terms
    """The settings with which the work may go on."""
    requests: int | None
    """The most requests that may follow in all; None for those of the work."""

    def refuse(self, create: Create) -> str:
        """Return why a create goes further, "" if it does not."""
        if widened := create.spec.terms.widened(self.terms):
            return ", ".join(widened)
        if staleness.exceeds(create.in_all, self.requests):
            return f"{create.in_all or 0:,} requests would follow, and {self.requests:,} were agreed to"
        return ""


class AgreedResult(Struct, frozen=True, kw_only=True):
    """A fresh plan, reduced to what was agreed to."""

    plan: Plan
    """What was not agreed to is a hold in it."""
    refusals: tuple[Refusal, ...]
    """Plans that no longer hold, and names about which no agreed plan says what would be done."""


class _Agreements(Struct, frozen=True, kw_only=True):
    """Everything that was agreed to."""

    promised: Mapping[staleness.ActionKey, CreateDoc | CancelDoc]
    """What agreed plans contain and still holds."""
    waiting: Mapping[NamedWork, Bound]
    """What they held until there is room, or until another job has ended."""
    widened: Mapping[NamedWork, Terms]
    """The settings that they show for submitted work which goes on further than its newest job says."""
    submitted: Mapping[NamedWork, OwnedJob]
    """The newest job of each work, in order of their age."""

    def _bounds(self, decision: Decision, create: Create) -> Iterator[Bound]:
        work = NamedWork(create.spec.name, create.spec.run_key)
        promised = self.promised.get(staleness.action_key(decision.name, create))
        if isinstance(promised, CreateDoc) and staleness.is_of(promised, create, decision):
            yield Bound(promised.settings.terms, promised.in_all)
        if work in self.waiting:
            yield self.waiting[work]
        if decision.standing in CONTINUES and work in self.submitted:
            job, again = self.submitted[work], (create.in_all or 0) - (create.never_asked or 0)
            terms = (job.tags.terms, *filter(None, [self.widened.get(work)]))
            yield from (Bound(it, again + job.not_asked) for it in terms)
        elif earlier := _earlier_period(create.spec, self.submitted):
            yield Bound(earlier.tags.terms, None)

    def refuse(self, decision: Decision, create: Create) -> str | None:
        """Return why no agreement reaches as far as a create, "" if there is none to it; None if one does."""
        why = [bound.refuse(create) for bound in self._bounds(decision, create)]
        return None if "" in why else next(iter(why), "")

    def allow(self, decision: Decision, cancel: Cancel) -> bool:
        """Whether a cancel was agreed to, or loses nothing."""
        key = staleness.action_key(decision.name, cancel)
        return cancel.duplicate_of is not None or key in self.promised


def restrict_to_agreed(plans: Sequence[AgreedPlan], fresh: Plan, observed: Observed) -> AgreedResult:
    """Reduce a fresh plan to agreed plans, the oldest first, and to what continues earlier work."""
    newest = {
        decision.name: plan
        for plan in plans
        for decision in plan.document.decisions
        if decision.pending or decision.standing in WAITS
    }
    submitted = {
        NamedWork(owned.tags.name, owned.tags.run_key): owned
        for owned in sorted(observed.owned, key=lambda owned: owned.job.age_key)
    }
    pending = {it.name for it in fresh.decisions if it.pending}

    def done(key: staleness.ActionKey, action: CreateDoc | CancelDoc) -> bool:
        return (
            isinstance(action, CreateDoc)
            and NamedWork(key[1], RunKey(action.work, action.rerun)) in submitted
        )

    allowed: dict[staleness.ActionKey, CreateDoc | CancelDoc] = {}
    waiting: dict[NamedWork, Bound] = {}
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
            words = "; ".join(it for several in broken.values() for it in several)
            refusals.append(Refusal("stale_plan", f"{plan.label} no longer holds: {words}", HINT))
            stale |= {it.name for it in own}
        else:
            allowed |= promised
            waiting |= {
                NamedWork(it.name, it.run_key): Bound(it.settings.terms, it.requests)
                for it in own
                if it.settings and it.standing in WAITS
            }
    last = {it.name: it for plan in plans for it in plan.document.decisions}
    agreements = _Agreements(
        promised=allowed,
        waiting=waiting,
        widened={NamedWork(name, it.run_key): it.settings.terms for name, it in last.items() if it.settings},
        submitted=submitted,
    )
    refused = {
        it.name: why
        for it in fresh.decisions
        for create in it.of(Create)
        if (why := agreements.refuse(it, create)) is not None
    }
    held = refused.keys() | {
        it.name for it in fresh.decisions for cancel in it.of(Cancel) if not agreements.allow(it, cancel)
    }
    if unknown := sorted(held - stale):
        message = f"no agreed plan contains what is declared now for {some(unknown)}"
        message += "".join(f"; {name}: {refused[name]}" for name in unknown if refused.get(name))
        refusals.append(Refusal("not_agreed", message, HINT, tuple(unknown)))
    decisions = tuple(
        _held(it, refused.get(it.name, "")) if it.name in held else it for it in fresh.decisions
    )
    return AgreedResult(plan=replace(fresh, decisions=decisions), refusals=tuple(refusals))


def _earlier_period(spec: JobSpec, submitted: Mapping[NamedWork, OwnedJob]) -> OwnedJob | None:
    """Return the last job of the name that did the same work in a period of the same length."""
    works = {key.work for key in spec.run_keys}
    found = [
        owned
        for (name, key), owned in submitted.items()
        if spec.period
        and name == spec.name
        and key.work in works
        and _PERIODS[spec.period].fullmatch(key.rerun)
    ]
    return found[-1] if found else None


def _held(decision: Decision, further: str) -> Decision:
    """Hold everything that a decision would write, except cancels of duplicates."""
    for create in decision.of(Create):
        detail = f"{create.reason}, {f'{further}, ' if further else ''}and no agreed plan contains it"
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
    waits until a job has stopped; `approved` is such work of earlier rounds of the same run.
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

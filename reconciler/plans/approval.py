"""What the later rounds of one run may buy, beyond the plan that was agreed to. Pure.

`apply --wait` plans again whenever something has changed. Whoever agreed saw the names and their work; so a later
round buys nothing but that work, and of it only

    a further attempt, as the spec's own `retry` asks for        Create `retry`
    what the quota held up in the plan that was agreed to        any Create of that run key

It never cancels, never takes part of a replacement, and never sends again what this run has sent once: a create that
was refused, or whose answer was lost, is left to the next apply. A saved plan says no work for what it holds up, so
of a saved plan only its creates are tried again.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.model import RunKey
from reconciler.planning.actions import Cancel, Create, Decision, Hold, Plan, Reason
from reconciler.plans.document import CreateDoc, PlanDoc


class Work(NamedTuple):
    """A piece of work under its name."""

    name: str
    run_key: RunKey


class Attempt(NamedTuple):
    """One create that was planned."""

    work: Work
    number: int


class Agreement(Struct, frozen=True, kw_only=True):
    """What a person, or a saved plan, agreed to."""

    works: frozenset[Work] = frozenset()
    """What may be tried again."""
    held: frozenset[Work] = frozenset()
    """What may be bought once there is room."""
    tried: frozenset[Attempt] = field(default_factory=frozenset)
    """What this run has sent, or tried to."""

    @property
    def names_held(self) -> frozenset[str]:
        """The names that the quota held up."""
        return frozenset(work.name for work in self.held)

    def after(self, plan: Plan) -> Agreement:
        """Return the same after a plan was carried out."""
        done = (Attempt(Work(it.spec.name, it.spec.run_key), it.attempt) for it in plan.of(Create))
        return replace(self, tried=self.tried | frozenset(done))

    def allows(self, create: Create) -> bool:
        """Whether a later round may buy this."""
        work = Work(create.spec.name, create.spec.run_key)
        if Attempt(work, create.attempt) in self.tried:
            return False
        return work in self.held or (work in self.works and create.reason is Reason.RETRY)

    def cut(self, plan: Plan) -> Plan:
        """Return a plan less everything that was not agreed to."""
        return replace(plan, decisions=tuple(map(self._cut, plan.decisions)))

    def _cut(self, decision: Decision) -> Decision:
        whole = not decision.of(Cancel) and all(map(self.allows, decision.of(Create)))
        if whole or not decision.pending:
            return decision
        kept = tuple(it for it in decision.actions if not isinstance(it, Create | Cancel))
        return replace(decision, actions=kept)


def agreed_to(plan: Plan, saved: PlanDoc | None = None, *, done: Plan | None = None) -> Agreement:
    """Return what agreeing to a plan allows later.

    Args:
        plan: what was shown and agreed to.
        saved: the plan file that it was cut down to, where there was one.
        done: what was left of it and carried out, where another runner had written first. What it holds up is bought
            later only where `plan` would have bought it or held it up, too.
    """
    done = done or plan
    if saved is not None:
        creates = (
            Work(decision.name, RunKey(create.work, create.rerun))
            for decision in saved.decisions
            for create in decision.of(CreateDoc)
        )
        return Agreement(works=frozenset(creates)).after(done)
    works = {it.name: Work(it.name, it.spec.run_key) for it in plan.decisions if it.spec is not None}
    bought = {create.spec.name for create in plan.of(Create)}
    names = _held(plan) | (_held(done) & bought)
    held = (work for name, work in works.items() if name in names)
    return Agreement(works=frozenset(works.values()), held=frozenset(held)).after(done)


def _held(plan: Plan) -> set[str]:
    """Return the names that wait for room."""
    return {
        it.name
        for it in plan.decisions
        if any(hold.reason is Reason.QUOTA and not hold.attention for hold in it.of(Hold))
    }

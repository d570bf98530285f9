"""What the later rounds of one run may create, beyond the approved plan. Pure.

`apply --wait` plans again when something has changed. The person who approved the plan saw the names and their work, so
a later round creates only that work, with no more requests in all than the plan shows, and of it only

    a further attempt, as the spec's `retry` allows              Create `retry`
    what results show to be left of it, the rest of a canary     Create of a part
    work that the quota held in the approved plan                any Create of that run key
    work that waited for another job to end                      any Create of that run key

A later round never cancels, never does only a part of a replacement, and never sends again what this run has sent
before: a create that was refused, or whose response was lost, is left to the next apply. Of a saved plan only the
creates are tried again, and the work is created that waits until a job which the plan cancels has stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.model import RunKey
from reconciler.planning.actions import Cancel, Create, Decision, Hold, Plan
from reconciler.planning.standing import CONTINUES, Standing
from reconciler.plans.action_documents import CancelDoc, CreateDoc
from reconciler.plans.document import DecisionDoc, PlanDoc
from reconciler.plans.staleness import exceeds


class NamedWork(NamedTuple):
    """A run key under its name."""

    name: str
    run_key: RunKey


class Attempt(NamedTuple):
    """One planned create."""

    work: NamedWork
    number: int


class Approval(Struct, frozen=True, kw_only=True):
    """What a person, or a saved plan, approved."""

    works: Mapping[NamedWork, int | None] = field(default_factory=dict)
    """Work that may be continued, with the most requests in all; None for those of the work."""
    held: frozenset[NamedWork] = frozenset()
    """Work that may be created once there is room, or another job has ended."""
    replaced: frozenset[NamedWork] = frozenset()
    """Of these the work that waits until a job has stopped, with the approved plan's number of requests."""
    tried: frozenset[Attempt] = field(default_factory=frozenset)
    """Creates that this run has sent, or has tried to send."""

    @property
    def names_held(self) -> frozenset[str]:
        """The names that were held."""
        return frozenset(work.name for work in self.held)

    def record_attempts(self, plan: Plan) -> Approval:
        """Return the approval after a plan was carried out."""
        done = (Attempt(NamedWork(it.spec.name, it.spec.run_key), it.attempt) for it in plan.of(Create))
        return replace(self, tried=self.tried | frozenset(done))

    def allows(self, create: Create, standing: Standing) -> bool:
        """Whether a later round may create this job, of a name with that standing."""
        work = NamedWork(create.spec.name, create.spec.run_key)
        if Attempt(work, create.attempt) in self.tried:
            return False
        continues = standing in CONTINUES and work in self.works
        return work in self.held or (continues and not exceeds(create.in_all, self.works[work]))

    def restrict(self, plan: Plan) -> Plan:
        """Return a plan without everything that was not approved."""
        return replace(plan, decisions=tuple(map(self._restrict, plan.decisions)))

    def _restrict(self, decision: Decision) -> Decision:
        allowed = (self.allows(create, decision.standing) for create in decision.of(Create))
        whole = not decision.of(Cancel) and all(allowed)
        if whole or not decision.pending:
            return decision
        kept = tuple(it for it in decision.actions if not isinstance(it, Create | Cancel))
        return replace(decision, actions=kept)


def approval_of(plan: Plan, saved: PlanDoc | None = None, *, done: Plan | None = None) -> Approval:
    """Return what the approval of a plan allows later; `saved` is the plan file that it was reduced to.

    `done` is the part that was carried out, if another runner wrote first. Work that it holds may be created later only
    if `plan` creates or holds it too.
    """
    done = done or plan
    if saved is not None:
        creates = {
            NamedWork(decision.name, RunKey(create.work, create.rerun)): create.in_all
            for decision in saved.decisions
            for create in decision.of(CreateDoc)
        }
        replaced = frozenset(filter(None, map(replaced_work, saved.decisions)))
        return Approval(works=creates, held=replaced, replaced=replaced).record_attempts(done)
    works = {it.name: NamedWork(it.name, it.spec.run_key) for it in plan.decisions if it.spec is not None}
    created = {create.spec.name: create.in_all for create in plan.of(Create)}
    names = _held(plan) | (_held(done) & created.keys())
    held = (work for name, work in works.items() if name in names)
    most = {work: created.get(name) for name, work in works.items()}
    after = frozenset(works[it.name] for it in done.decisions if _replaces(it) and it.name in works)
    return Approval(works=most, held=frozenset(held), replaced=after).record_attempts(done)


def _held(plan: Plan) -> set[str]:
    """Return the names that wait for room, or for another job to end."""
    waits = (Standing.NO_ROOM, Standing.WAITING)
    return {it.name for it in plan.decisions if it.standing in waits and not it.attention}


def replaced_work(decision: DecisionDoc) -> NamedWork | None:
    """Return the work of a decision that waits until a job has stopped: one that it cancels, or that is stopping."""
    stops = bool(decision.of(CancelDoc)) or decision.requests is not None
    waits = decision.standing == Standing.WAITING and stops
    return NamedWork(decision.name, decision.run_key) if waits else None


def _replaces(decision: Decision) -> bool:
    stops = decision.of(Cancel) or any(it.requests is not None for it in decision.of(Hold))
    return decision.standing is Standing.WAITING and bool(stops)

"""The data that a run has gathered, and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed
from reconciler.planning.actions import Plan
from reconciler.planning.guard_input import NOT_APPROVED, Approved, Refusal
from reconciler.planning.work import Work
from reconciler.plans.document import PlanDoc


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The data that a run has gathered, and what the planner decides, before the guards hold anything back."""

    declared: Declared
    observed: Observed
    memory: Memory
    plan: Plan
    unbounded: Plan
    """What the planner decides, before the quota holds anything."""
    works: Mapping[str, Work] = field(default_factory=dict)
    """The state of each request, by name: of the names whose results were read."""
    not_agreed: tuple[Refusal, ...] = ()
    """What an unattended run holds back, because no agreed plan contains it."""
    remarks: tuple[str, ...] = ()
    """Harmless differences between an approved plan and this one."""
    approved: Approved = NOT_APPROVED


@dataclass(frozen=True, kw_only=True)
class PlannedRun(Proposal):
    """A plan without the actions that guards hold back, and its document."""

    proposed: Plan
    """With the actions that guards hold back."""
    document: PlanDoc

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The guards that hold something back."""
        return self.document.guards

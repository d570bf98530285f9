"""The data that a run has gathered, and its plan."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed
from reconciler.planning.actions import Plan
from reconciler.planning.guards import Refusal
from reconciler.plans.document import PlanDoc


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The data that a run has gathered, and what the planner decides, before the guards."""

    declared: Declared
    observed: Observed
    memory: Memory
    plan: Plan
    remarks: tuple[str, ...] = ()
    """Harmless differences between an approved plan and this one."""


@dataclass(frozen=True, kw_only=True)
class PlannedRun(Proposal):
    """A proposal that the guards have checked, and its document."""

    document: PlanDoc

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The guards that refuse."""
        return self.document.guards

"""The data that a run has gathered, and its plan."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed
from reconciler.planning.actions import Plan
from reconciler.planning.guards import Refusal
from reconciler.plans.document import PlanDoc


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """The data that a run has gathered, and its plan."""

    declared: Declared
    observed: Observed
    memory: Memory
    plan: Plan
    refusals: tuple[Refusal, ...]
    document: PlanDoc
    remarks: tuple[str, ...] = ()
    """Harmless differences between a saved plan and this one."""

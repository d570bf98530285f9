"""What a run has gathered, and what it has decided."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed
from reconciler.planning.actions import Plan
from reconciler.planning.guards import Refusal
from reconciler.plans.document import PlanDoc


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What was gathered, and what was decided."""

    declared: Declared
    observed: Observed
    memory: Memory
    plan: Plan
    refusals: tuple[Refusal, ...]
    document: PlanDoc
    told: tuple[str, ...] = ()
    """How a saved plan and this one differ harmlessly."""

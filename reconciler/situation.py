"""What a run has gathered, and what it has decided."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.actions import Plan
from reconciler.document import PlanDoc
from reconciler.guards import Refusal
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed


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

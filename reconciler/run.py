"""What one run works with, and what it has gathered and decided: the values that its steps hand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from reconciler.actions import Plan
from reconciler.api.client import Reader
from reconciler.api.retry import Retrier
from reconciler.document import PlanDoc
from reconciler.guards import Allowed, Refusal
from reconciler.ledger.memory import Memory
from reconciler.model import Ancestry, Checkout, Declared, Observed, Source, Target
from reconciler.settings import Guards, Limits, Uploads
from reconciler.world import World

ApiT = TypeVar("ApiT", bound=Reader)


@dataclass(frozen=True, kw_only=True)
class Run(Generic[ApiT]):
    """What one run works with."""

    api: ApiT
    retrier: Retrier
    world: World
    target: Target
    limits: Limits
    guards: Guards
    """With what the command line allows beyond the settings."""
    allowed: Allowed
    checkout: Checkout
    ancestry: Callable[[frozenset[str]], Ancestry]
    """Says which of some commits the checkout contains, and which came after it."""
    source: Source
    root: Path
    """The project root, for input files."""
    uploads: Uploads = field(default_factory=Uploads)
    """How input files are kept in the workspace."""


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

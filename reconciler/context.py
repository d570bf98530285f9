"""What one run works with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from reconciler.api.client import Reader
from reconciler.api.retry import Retrier
from reconciler.environment import World
from reconciler.model import Ancestry, Checkout, RunKey, Source, Target
from reconciler.planning.guards import Allowed
from reconciler.settings import Guards, Limits
from reconciler.specs.project import Project

ApiT = TypeVar("ApiT", bound=Reader)


@dataclass(frozen=True, kw_only=True)
class Run(Generic[ApiT]):
    """What one run works with."""

    api: ApiT
    retrier: Retrier
    """Bounds the repeating of what certainly did nothing, in reads and writes together."""
    world: World
    project: Project
    target: Target
    limits: Limits
    guards: Guards
    """With what the command line allows beyond the settings."""
    allowed: Allowed
    checkout: Checkout
    ancestry: Callable[[frozenset[str]], Ancestry]
    """Says which of some commits the checkout contains, and which came after it."""
    source: Source
    """Who creates, from where."""
    folder: Path
    """Where this target's ledger and lock are."""
    began: float
    """On the monotonic clock."""
    redact: Callable[[str], str]
    """Takes the API key out of a text."""
    give_up_at: float = -math.inf
    """On the monotonic clock: nothing is created after it. Until an apply has begun, nothing is created at all."""
    ops: Mapping[RunKey, str] = field(default_factory=dict)
    """The ops that an apply has claimed in the ledger, by the work that is to be created."""

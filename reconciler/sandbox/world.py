"""What the handlers need that is not in the request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class World:
    """The state and everything impure, made once for an application."""

    store: Store
    now: Callable[[], float]
    """The wall clock, in Unix seconds."""
    ids: Callable[[], str]
    """Makes the UUIDs of new jobs and files."""
    speed: float
    """How many times faster than usual a new job will run."""
    result_sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of result files that were measured before: such a file never changes."""

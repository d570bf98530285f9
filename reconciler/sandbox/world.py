"""What handlers need besides the request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reconciler.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class World:
    """The state, the clock and the ids of an application."""

    store: Store
    now: Callable[[], float]
    """The wall clock, in Unix seconds."""
    ids: Callable[[], str]
    """Returns the UUID of a new job or file."""
    speed: float
    """How many times faster than normal new jobs run."""
    lenient: bool
    """Whether any model and any request body is accepted."""
    result_sizes: dict[str, int] = field(default_factory=dict)
    """Sizes of result files in bytes, by id: result files never change."""

    def day(self) -> str:
        """Return the current date in UTC, `YYYY-MM-DD`."""
        return datetime.fromtimestamp(self.now(), UTC).date().isoformat()

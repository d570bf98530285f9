"""What a history is made of, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.history.from_ledger import Heard
from reconciler.history.record import Record
from reconciler.model import Job, Target
from reconciler.specs.project import Project


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Everything that was read."""

    project: Project
    target: Target
    ledger: Heard
    jobs: tuple[Job, ...] | None
    """Ours; None where the list was not read."""
    settled: float
    """Unix seconds: the list shows the jobs that were created before this. The younger ones may show later."""
    records: tuple[Record, ...]
    """All of it put together."""

    @property
    def offline(self) -> bool:
        """Whether the list was left aside."""
        return self.jobs is None

"""Everything that a history is made from, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.history.merge import LedgerView
from reconciler.history.record import Record
from reconciler.model import Job, Target
from reconciler.specs.project import Project


@dataclass(frozen=True, kw_only=True)
class HistorySources:
    """Everything that was read."""

    project: Project
    target: Target
    ledger: LedgerView
    jobs: tuple[Job, ...] | None
    """Our jobs; None if the list was not read."""
    settled: float
    """Unix seconds: the list shows the jobs that were created before this. Younger ones may appear later."""
    records: tuple[Record, ...]
    """The merged records."""

    @property
    def offline(self) -> bool:
        """Whether the list was not read."""
        return self.jobs is None

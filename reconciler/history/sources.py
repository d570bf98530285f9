"""The sources of a history: the ledger, the list of jobs, and the records merged from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.history.ledger_index import LedgerIndex
from reconciler.history.record import Record
from reconciler.ledger.lines import Line
from reconciler.model import Job, Target


@dataclass(frozen=True, kw_only=True)
class LedgerView:
    """A ledger's lines, their index and the records built from them."""

    project: str
    index: LedgerIndex
    """The lines by op and by job id."""
    records: Mapping[str, Record]
    """By job id."""
    lines: tuple[Line, ...] = ()
    """All of them, in order."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The sources of a history, and the records merged from them."""

    target: Target
    ledger: LedgerView
    jobs: tuple[Job, ...] | None
    """Our jobs; None if the list was not read."""
    settled: float
    """Unix seconds: the list must show a job that was created before this. Younger ones may appear later."""
    records: tuple[Record, ...]
    """The merged records."""

    @property
    def head(self) -> dict[str, Any]:
        """The fields that every document about the history has."""
        return {
            "project": self.target.project,
            "base_url": self.target.base_url,
            "offline": self.jobs is None,
        }

"""The ledger's lines, indexed by create and by job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    Ended,
    Line,
    UsageSeen,
)

_Indexed: TypeAlias = CreateIntended | CreateConfirmed | Ended | CancelIntended | CancelEnded | UsageSeen
_Kind = TypeVar("_Kind", bound=_Indexed)


@dataclass(frozen=True, kw_only=True)
class LedgerIndex:
    """The ledger's lines, by op and by job id. Independent of the order of the lines."""

    intents: dict[str, CreateIntended] = field(default_factory=dict)
    """By op."""
    created: dict[str, CreateConfirmed] = field(default_factory=dict)
    """By job id, as are the others."""
    ended: dict[str, Ended] = field(default_factory=dict)
    cancels: dict[str, CancelIntended] = field(default_factory=dict)
    cancelled: dict[str, CancelEnded] = field(default_factory=dict)
    usage: dict[str, UsageSeen] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """The ops whose outcome is known."""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Every job that the ledger records as created or ended, in its order: lookups are faster for neighbours."""
        return (*self.created, *(job_id for job_id in self.ended if job_id not in self.created))

    def add(self, lines: Iterable[Line]) -> None:
        """Add lines. Of several lines of a kind for one op or job, one counts in any order."""
        for line in lines:
            if isinstance(line, CreateIntended):
                _put(self.intents, line.op, line)
            elif isinstance(line, CreateConfirmed | Ended | CancelIntended | CancelEnded | UsageSeen):
                _put(getattr(self, _BY_JOB[type(line)]), line.job_id, line)
            if isinstance(line, CreateConfirmed | CreateRefused):
                self.settled.add(line.op)


_BY_JOB: Final = {
    CreateConfirmed: "created",
    Ended: "ended",
    CancelIntended: "cancels",
    CancelEnded: "cancelled",
    UsageSeen: "usage",
}


def _put(lines: dict[str, _Kind], about: str, line: _Kind) -> None:
    """Add a line. Of two for the same key, the one with the greater weight stays."""
    known = lines.setdefault(about, line)
    if known != line and _weight(known) < _weight(line):
        lines[about] = line


def _weight(line: _Indexed) -> tuple[bool, float, float, str]:
    """Return the rank of a line: an accepted cancel counts, then the later line, then the text decides.

    Of two intents the first counts: it was written before the create was sent. Of two about usage, the one with more
    answers.
    """
    if isinstance(line, UsageSeen):
        return True, line.usage.answers, line.at, encode(line)
    if isinstance(line, CreateIntended):
        return True, -line.at, -line.lease, encode(line)
    return not (isinstance(line, CancelEnded) and line.error), line.at, 0, encode(line)

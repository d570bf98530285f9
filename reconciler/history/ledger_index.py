"""What the ledger has told, by what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    Created,
    CreateIntended,
    CreateRefused,
    Ended,
    Line,
    encode,
)

_Kind = TypeVar("_Kind", CreateIntended, Created, Ended, CancelIntended, CancelEnded)


@dataclass(frozen=True, kw_only=True)
class Told:
    """The ledger's lines, by what they are about. The same whatever the order of the lines."""

    intents: dict[str, CreateIntended] = field(default_factory=dict)
    """By op."""
    created: dict[str, Created] = field(default_factory=dict)
    """By job id, as are the others."""
    ended: dict[str, Ended] = field(default_factory=dict)
    cancels: dict[str, CancelIntended] = field(default_factory=dict)
    cancelled: dict[str, CancelEnded] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """The ops of which an outcome is known."""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Every job that the ledger saw created or ended, as it saw them: neighbours are quicker to read."""
        return (*self.created, *(job_id for job_id in self.ended if job_id not in self.created))

    def add(self, lines: Iterable[Line]) -> None:
        """Take in lines; of several about the same, the one that says most counts, then the last."""
        for line in lines:
            if isinstance(line, CreateIntended):
                _put(self.intents, line.op, line)
            elif isinstance(line, Created):
                _put(self.created, line.job_id, line)
                self.settled.add(line.op)
            elif isinstance(line, Ended):
                _put(self.ended, line.job_id, line)
            elif isinstance(line, CancelIntended):
                _put(self.cancels, line.job_id, line)
            elif isinstance(line, CancelEnded):
                _put(self.cancelled, line.job_id, line)
            elif isinstance(line, CreateRefused):
                self.settled.add(line.op)


def _put(lines: dict[str, _Kind], about: str, line: _Kind) -> None:
    """Add a line; of two about the same, the weightier stays."""
    known = lines.setdefault(about, line)
    if known != line and _weight(known) < _weight(line):
        lines[about] = line


def _weight(
    line: CreateIntended | Created | Ended | CancelIntended | CancelEnded,
) -> tuple[bool, float, float, str]:
    """Of two lines the one that says more counts, then the later one; text decides between those of one moment.

    Of two intents the first counts: that was when it was meant.
    """
    match line:
        case CreateIntended():
            return True, -line.at, -line.lease, encode(line)
        case Created() | Ended():  # lines of an older version of this tool say less
            return line.created_at is not None, line.at, 0, encode(line)
        case CancelEnded():
            return not line.error, line.at, 0, encode(line)
        case _:
            return True, line.at, 0, encode(line)

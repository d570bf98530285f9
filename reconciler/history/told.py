"""What the ledger has told, by what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

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


def sorted_out(lines: Iterable[Line]) -> Told:
    """Sort lines by what they are about; of several that say the same, the one that says most, then the last."""
    known = Told()
    for line in lines:
        match line:
            case Ended():
                ended = known.ended.get(line.job_id)
                if ended is None or _weight(line) > _weight(ended):
                    known.ended[line.job_id] = line
            case Created():
                known.settled.add(line.op)
                created = known.created.get(line.job_id)
                if created is None or _weight(line) > _weight(created):
                    known.created[line.job_id] = line
            case CreateIntended():
                intent = known.intents.get(line.op)
                if intent is None or _first(line) < _first(intent):
                    known.intents[line.op] = line
            case _:
                _more(known, line)
    return known


def _more(known: Told, line: Line) -> None:
    match line:
        case CreateRefused():
            known.settled.add(line.op)
        case CancelIntended():
            last = known.cancels.get(line.job_id)
            if last is None or _weight(line) > _weight(last):
                known.cancels[line.job_id] = line
        case CancelEnded():
            left = known.cancelled.get(line.job_id)
            if left is None or _weight(line) > _weight(left):
                known.cancelled[line.job_id] = line
        case _:  # what is told of ends, and creates whose outcome is open, change no record
            pass


def _first(line: CreateIntended) -> tuple[float, float, str]:
    return line.at, line.lease, encode(line)


def _weight(line: Created | Ended | CancelIntended | CancelEnded) -> tuple[bool, float, str]:
    """Of two lines the one that says more counts, then the later one; text decides between those of one moment."""
    says_more = True
    if isinstance(line, Created | Ended):  # lines of an older version of this tool say less
        says_more = line.created_at is not None
    elif isinstance(line, CancelEnded):
        says_more = not line.error
    return says_more, line.at, encode(line)

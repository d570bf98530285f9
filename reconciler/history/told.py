"""What the ledger has told, by what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar, cast

from msgspec import Struct

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
_Any = TypeVar("_Any", bound=Struct)


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

    def add(self, more: Told) -> None:
        """Take in what further lines have told."""
        _join(self.intents, more.intents)
        _join(self.created, more.created)
        _join(self.ended, more.ended)
        _join(self.cancels, more.cancels)
        _join(self.cancelled, more.cancelled)
        self.settled.update(more.settled)


def sorted_out(lines: Iterable[Line]) -> Told:
    """Sort lines by what they are about; of several that say the same, the one that says most, then the last."""
    kinds: dict[type[Struct], list[Line]] = defaultdict(list)
    for line in lines:
        kinds[type(line)].append(line)
    created = _of(Created, kinds)
    return Told(
        intents=_by("op", _of(CreateIntended, kinds)),
        created=_by("job_id", created),
        ended=_by("job_id", _of(Ended, kinds)),
        cancels=_by("job_id", _of(CancelIntended, kinds)),
        cancelled=_by("job_id", _of(CancelEnded, kinds)),
        settled={line.op for line in created} | {line.op for line in _of(CreateRefused, kinds)},
    )


def _of(kind: type[_Any], kinds: Mapping[type[Struct], list[Line]]) -> list[_Any]:
    return cast("list[_Any]", kinds[kind])


def _by(name: str, lines: Sequence[_Kind]) -> dict[str, _Kind]:
    """Return lines by what they are about; of several about the same, the weightiest."""
    about = attrgetter(name)
    found = dict(zip(map(about, lines), lines, strict=True))
    if len(found) < len(lines):  # something is said twice, which is rare
        for line in lines:
            _join(found, {about(line): line})
    return found


def _join(mine: dict[str, _Kind], more: Mapping[str, _Kind]) -> None:
    """Add lines to others; of two about the same, the weightier stays."""
    twice = {key: mine[key] for key in mine.keys() & more.keys()}
    mine.update(more)
    for key, line in twice.items():
        if line != mine[key]:
            mine[key] = max(line, mine[key], key=_weight)


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

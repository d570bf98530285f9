"""What the ledger has told, by what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

_Kind = TypeVar("_Kind", bound=Struct)
_OfJob = TypeVar("_OfJob", Created, Ended, CancelIntended, CancelEnded)


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


def sorted_out(lines: Sequence[Line]) -> Told:
    """Sort lines by what they are about; of several that say the same, the one that says most, then the last."""
    kinds: dict[type[Struct], list[Line]] = defaultdict(list)
    for line in lines:  # one look at each: a long ledger does not fit into the processor's cache
        kinds[type(line)].append(line)
    return Told(
        intents=_earliest(_of(CreateIntended, kinds)),
        created=_weightiest(_of(Created, kinds)),
        ended=_weightiest(_of(Ended, kinds)),
        cancels=_weightiest(_of(CancelIntended, kinds)),
        cancelled=_weightiest(_of(CancelEnded, kinds)),
        settled={line.op for line in _of(Created, kinds)} | {line.op for line in _of(CreateRefused, kinds)},
    )


def _of(kind: type[_Kind], kinds: Mapping[type[Struct], list[Line]]) -> list[_Kind]:
    return cast("list[_Kind]", kinds[kind])


def _earliest(lines: Sequence[CreateIntended]) -> dict[str, CreateIntended]:
    found = {line.op: line for line in lines}
    if len(found) < len(lines):  # something is said twice, which is rare
        for line in lines:
            if _first(line) < _first(found[line.op]):
                found[line.op] = line
    return found


def _weightiest(lines: Sequence[_OfJob]) -> dict[str, _OfJob]:
    found = {line.job_id: line for line in lines}
    if len(found) < len(lines):
        for line in lines:
            if _weight(line) > _weight(found[line.job_id]):
                found[line.job_id] = line
    return found


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

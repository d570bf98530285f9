"""Which ends of jobs were told to `on_end`, as the ledger's lines say it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.ledger.lines import EndClaimed, EndTold, Line, TellingBegan


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How far telling the end of one job has come."""

    told: bool = False
    failures: int = 0
    claimed_until: float = 0.0
    """Unix seconds until which a run has it to itself; 0 where none has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told. True whatever the order of the lines, and however often each is there."""

    since: float | None = None
    """When telling began, Unix seconds: ends before are not told. None where it never did."""
    ends: Mapping[str, End] = field(default_factory=dict)
    """By job id, those that were claimed or told."""


def told(lines: Iterable[Line]) -> Told:
    """Fold ledger lines into what was told."""
    said = {line for line in lines if isinstance(line, TellingBegan | EndClaimed | EndTold)}
    ends: dict[str, End] = defaultdict(End)
    since: list[float] = []
    for line in sorted(said, key=lambda line: (line.at, repr(line))):
        match line:
            case TellingBegan():
                since.append(line.at)
            case EndClaimed():
                until = line.at + line.lease
                ends[line.job_id] = replace(ends[line.job_id], claimed_until=until)
            case EndTold(error=""):
                ends[line.job_id] = replace(ends[line.job_id], told=True)
            case EndTold():
                failures = ends[line.job_id].failures + 1
                ends[line.job_id] = replace(ends[line.job_id], failures=failures, claimed_until=0.0)
    return Told(since=min(since, default=None), ends=dict(ends))

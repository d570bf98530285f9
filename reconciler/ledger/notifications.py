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
    """Fold ledger lines into what was told.

    A failure gives back the claim of its own run and no other: the clocks of two hosts do not say which came first.
    """
    said = {line for line in lines if isinstance(line, TellingBegan | EndClaimed | EndTold)}
    ends: dict[str, End] = defaultdict(End)
    failed: dict[tuple[str, str], float] = {}
    for line in said:
        if isinstance(line, EndTold):
            end = ends[line.job_id]
            if line.error:
                ends[line.job_id] = replace(end, failures=end.failures + 1)
                by = line.job_id, line.run_id
                failed[by] = max(line.at, failed.get(by, 0.0))
            else:
                ends[line.job_id] = replace(end, told=True)
    for line in said:
        if isinstance(line, EndClaimed) and failed.get((line.job_id, line.run_id), -1.0) < line.at:
            end = ends[line.job_id]
            ends[line.job_id] = replace(end, claimed_until=max(end.claimed_until, line.at + line.lease))
    since = min((line.at for line in said if isinstance(line, TellingBegan)), default=None)
    return Told(since=since, ends=dict(ends))

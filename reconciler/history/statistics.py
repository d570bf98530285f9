"""Statistics of a history: for all jobs, and for each name, model and month."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias, cast

import msgspec

from reconciler.history.record import Record
from reconciler.text.plural import DAY
from reconciler.text.timestamps import rfc3339

SHARE: Final = 0.95


class GroupDoc(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of a group of jobs. None: the value is unknown for all of them."""

    by: Literal["all", "name", "model", "month"]
    key: str
    """The name, model or month (of creation, UTC) of the group. `?` if it is unknown."""
    jobs: int
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int
    other: int
    """Not ended, or of an unknown status."""
    success_rate: float | None
    """Share of succeeded jobs among those that succeeded, failed or timed out, 0 to 1."""
    queue_seconds_median: float | None
    queue_seconds_p95: float | None
    """The smallest value that 95% of the jobs do not exceed."""
    run_seconds_median: float | None
    run_seconds_p95: float | None
    requests: int | None
    """The sum of the known values, as in the three fields below."""
    requests_succeeded: int | None
    requests_failed: int | None
    tokens: int | None
    requests_unknown: int
    """Jobs whose number of requests is unknown; likewise the three fields below."""
    requests_succeeded_unknown: int
    requests_failed_unknown: int
    tokens_unknown: int


class StatsDoc(msgspec.Struct, frozen=True, kw_only=True):
    """The output of `history --stats --format json`."""

    project: str
    base_url: str
    offline: bool
    """True if the list of jobs was not read."""
    groups: tuple[GroupDoc, ...]
    """`all`, then the names, the models and the months, each in order."""


_MONTH: Final = len("2026-11")
Fact: TypeAlias = tuple[str | None, int | None, int | None, int | None, int | None, int | None, int | None]
"""A record's status, queue and run seconds, requests (total, succeeded, failed) and tokens."""


def groups(records: Iterable[Record]) -> tuple[GroupDoc, ...]:
    """Return every group, `all` first."""
    found = tuple(records)
    facts: list[Fact] = [
        (
            it.status,
            it.queue_seconds,
            it.run_seconds,
            it.total_requests,
            it.succeeded_requests,
            it.failed_requests,
            it.total_tokens,
        )
        for it in found
    ]
    return (
        _group("all", "all", facts),
        *_grouped("name", [it.name for it in found], facts),
        *_grouped("model", [it.model or "?" for it in found], facts),
        *_grouped("month", _months(found), facts),
    )


def _months(records: Sequence[Record]) -> list[str]:
    days = [None if it.created_at is None else it.created_at // DAY for it in records]
    names = {day: "?" if day is None else rfc3339(day * DAY)[:_MONTH] for day in set(days)}
    return [names[day] for day in days]


def _grouped(
    by: Literal["name", "model", "month"], keys: Sequence[str], facts: Sequence[Fact]
) -> Iterable[GroupDoc]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for key, fact in zip(keys, facts, strict=True):
        found[key].append(fact)
    return (_group(by, key, found[key]) for key in sorted(found))


def _group(by: Literal["all", "name", "model", "month"], key: str, facts: Sequence[Fact]) -> GroupDoc:
    statuses, *numbers = zip(*facts, strict=True) if facts else ((),) * 7
    queue, run, requests, right, wrong, tokens = map(_known, numbers)
    queue, run = sorted(queue), sorted(run)
    ended = Counter(statuses)
    succeeded, failed, timed_out = ended["SUCCESS"], ended["FAILED"], ended["TIMEOUT_EXCEEDED"]
    judged = succeeded + failed + timed_out
    return GroupDoc(
        by=by,
        key=key,
        jobs=len(facts),
        succeeded=succeeded,
        failed=failed,
        timed_out=timed_out,
        cancelled=ended["CANCELLED"],
        other=len(facts) - judged - ended["CANCELLED"],
        success_rate=succeeded / judged if judged else None,
        queue_seconds_median=median(queue),
        queue_seconds_p95=percentile(queue, SHARE),
        run_seconds_median=median(run),
        run_seconds_p95=percentile(run, SHARE),
        requests=_sum(requests),
        requests_succeeded=_sum(right),
        requests_failed=_sum(wrong),
        tokens=_sum(tokens),
        requests_unknown=len(facts) - len(requests),
        requests_succeeded_unknown=len(facts) - len(right),
        requests_failed_unknown=len(facts) - len(wrong),
        tokens_unknown=len(facts) - len(tokens),
    )


def _known(column: Sequence[int | None]) -> Sequence[int]:
    if None in column:
        return [it for it in column if it is not None]
    return cast("Sequence[int]", column)


def _sum(numbers: Sequence[int]) -> int | None:
    return sum(numbers) if numbers else None


def median(ordered: Sequence[int]) -> float | None:
    """Return the median of sorted numbers."""
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(ordered: Sequence[int], share: float) -> float | None:
    """Return the percentile of sorted numbers by the nearest-rank method; `share` is between 0 and 1."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None

"""Statistics of a history: for all jobs, and for each name, model and month."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, Literal

import msgspec

from reconciler.history.record import Record
from reconciler.text.plural import DAY
from reconciler.text.timestamps import rfc3339

SHARE: Final = 0.95
SUMS: Final = {
    "requests": "total_requests",
    "requests_succeeded": "succeeded_requests",
    "requests_failed": "failed_requests",
    "tokens": "total_tokens",
}
"""The fields of a group that are sums, and the fields of a record that they sum."""


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


def groups(records: Iterable[Record]) -> tuple[GroupDoc, ...]:
    """Return every group, `all` first."""
    found = tuple(records)
    month = cache(lambda day: "?" if day is None else rfc3339(day * DAY)[:_MONTH])
    return (
        _group("all", "all", found),
        *_grouped("name", [it.name for it in found], found),
        *_grouped("model", [it.model or "?" for it in found], found),
        *_grouped("month", [month(it.created_at and it.created_at // DAY) for it in found], found),
    )


def _grouped(
    by: Literal["name", "model", "month"], keys: Sequence[str], records: Sequence[Record]
) -> Iterable[GroupDoc]:
    found: dict[str, list[Record]] = defaultdict(list)
    for key, record in zip(keys, records, strict=True):
        found[key].append(record)
    return (_group(by, key, found[key]) for key in sorted(found))


def _group(by: Literal["all", "name", "model", "month"], key: str, records: Sequence[Record]) -> GroupDoc:
    def known(field: str) -> list[int]:
        return [value for it in records if (value := getattr(it, field)) is not None]

    ended = Counter(it.status for it in records)
    succeeded, failed, timed_out = ended["SUCCESS"], ended["FAILED"], ended["TIMEOUT_EXCEEDED"]
    judged = succeeded + failed + timed_out
    queue, run = sorted(known("queue_seconds")), sorted(known("run_seconds"))
    sums: dict[str, Any] = {}
    for name, field in SUMS.items():
        numbers = known(field)
        sums |= {name: sum(numbers) if numbers else None, f"{name}_unknown": len(records) - len(numbers)}
    return GroupDoc(
        by=by,
        key=key,
        jobs=len(records),
        succeeded=succeeded,
        failed=failed,
        timed_out=timed_out,
        cancelled=ended["CANCELLED"],
        other=len(records) - judged - ended["CANCELLED"],
        success_rate=succeeded / judged if judged else None,
        queue_seconds_median=median(queue),
        queue_seconds_p95=percentile(queue, SHARE),
        run_seconds_median=median(run),
        run_seconds_p95=percentile(run, SHARE),
        **sums,
    )


def median(ordered: Sequence[int]) -> float | None:
    """Return the median of sorted numbers."""
    return statistics.median(ordered) if ordered else None


def percentile(ordered: Sequence[int], share: float) -> float | None:
    """Return the percentile of sorted numbers by the nearest-rank method; `share` is between 0 and 1."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None

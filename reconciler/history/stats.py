"""Sums over the jobs of a history: in all, and by month, name, model and keys of the specs' metadata. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from reconciler.history.record import HistoryPart, Record, WorkRow
from reconciler.text.timestamps import rfc3339

_MONTH: Final = len("2026-11")
UNKNOWN: Final = "?"
"""The key of jobs whose value is not known."""
NONE: Final = "-"
"""The key of jobs whose metadata lacks the key."""

KeyOf: TypeAlias = Callable[[Record], str]


class StatsRow(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over some jobs. A job with an unknown number adds nothing to its sum, which is then a lower bound."""

    key: str
    """What they have in common; "" for all jobs."""
    jobs: int
    requests: int
    """Submitted, as far as it is known."""
    requests_unknown: int = 0
    """Jobs of which that is not known; likewise below."""
    answered: int
    answered_unknown: int = 0
    failed: int
    tokens: int
    """In and out, of pulled results."""
    tokens_unknown: int = 0
    """Jobs with answers whose tokens are not known, as their results were not pulled, or do not name all of them."""
    cost: float = 0.0
    """By list prices, in the unit of `currency`."""
    currency: str = ""
    """"" if no cost is known."""
    cost_unknown: int = 0
    """Jobs with answers whose cost is not known, or is a lower bound."""


class StatsDoc(HistoryPart, frozen=True, kw_only=True):
    """The output of `history --stats --format json`."""

    total: StatsRow
    works: tuple[WorkRow, ...]
    """The newest work of each name, over all of its jobs."""
    by: Mapping[str, tuple[StatsRow, ...]]
    """The rows for `month` (of the create, in UTC), `name`, `model`, and each wanted key of the metadata."""


def month_of(record: Record) -> str:
    """Return the month of a job's create in UTC: `2026-11`."""
    return UNKNOWN if record.created_at is None else rfc3339(record.created_at)[:_MONTH]


def key_of(key: str) -> KeyOf:
    """Return a function that returns a job's value of a key of the metadata."""

    def value(record: Record) -> str:
        return UNKNOWN if record.user_metadata is None else record.user_metadata.get(key, NONE)

    return value


def groupings(keys: Sequence[str]) -> dict[str, KeyOf]:
    """Return what jobs are counted by: `month`, `name`, `model` and some keys of the metadata."""
    usual: dict[str, KeyOf] = {
        "month": month_of,
        "name": lambda it: it.name or UNKNOWN,
        "model": lambda it: it.model or UNKNOWN,
    }
    return usual | {key: key_of(key) for key in keys if key not in usual}


def rows_by(records: Iterable[Record], key: KeyOf) -> tuple[StatsRow, ...]:
    """Return the sums for each value of a key, sorted by it."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return tuple(summed(groups[value], value) for value in sorted(groups))


def summed(records: Sequence[Record], key: str = "") -> StatsRow:
    """Return the sums over jobs."""
    with_answers = [it for it in records if it.succeeded_requests != 0]
    return StatsRow(
        key=key,
        jobs=len(records),
        requests=_sum(it.total_requests for it in records),
        requests_unknown=sum(it.total_requests is None for it in records),
        answered=_sum(it.succeeded_requests for it in records),
        answered_unknown=sum(it.succeeded_requests is None for it in records),
        failed=_sum(it.failed_requests for it in records),
        tokens=_sum(it.total_tokens for it in records),
        tokens_unknown=sum(it.total_tokens is None or bool(it.answers_without_tokens) for it in with_answers),
        cost=round(sum(it.cost or 0 for it in records), 6),
        currency=next((it.currency for it in records if it.currency), ""),
        cost_unknown=sum(it.cost is None or bool(it.cost_is_lower_bound) for it in with_answers),
    )


def _sum(numbers: Iterable[int | None]) -> int:
    return sum(number or 0 for number in numbers)

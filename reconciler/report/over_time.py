"""The charts of a report: sums over days, weeks or months."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from reconciler.history.record import Record
from reconciler.history.stats import KeyOf, groupings
from reconciler.report.charts import Chart, Series
from reconciler.report.numbers import short
from reconciler.text.money import spent

MAX_SERIES: Final = 7
"""Colours of a chart; the smallest are one, `others`."""
OTHERS: Final = "others"
_DAYS: Final = 45
"""A span of at most so many days is shown by day."""
_WEEKS: Final = 200
"""A span of at most so many days is shown by week, a longer one by month."""


def charts(records: Sequence[Record], keys: Sequence[str]) -> Sequence[Chart]:
    """Return the charts of some jobs: requests and answers, and costs by name, model and keys of the metadata."""
    known = [it for it in records if it.created_at is not None]
    if not known:
        return []
    span = [dt.datetime.fromtimestamp(it.created_at or 0, dt.UTC).date() for it in (known[0], known[-1])]
    unit, label = _unit((span[1] - span[0]).days)
    labels = list(_labels(span[0], span[1], label))

    def of(record: Record) -> str:
        return label(dt.datetime.fromtimestamp(record.created_at or 0, dt.UTC).date())

    groups = groupings(keys)
    wanted = {title: groups[title] for title in groups if title != "month"}
    return [
        _answers(known, of, labels, unit),
        *(_used(known, of, labels, f"by {unit} and {title}", key) for title, key in wanted.items()),
    ]


def _unit(days: int) -> tuple[str, Callable[[dt.date], str]]:
    if days <= _DAYS:
        return "day", lambda day: day.isoformat()
    if days <= _WEEKS:
        return "week", lambda day: (day - dt.timedelta(days=day.weekday())).isoformat()
    return "month", lambda day: day.isoformat()[: len("2026-11")]


def _labels(first: dt.date, last: dt.date, label: Callable[[dt.date], str]) -> Iterable[str]:
    """Return every label from the first day to the last, those without a job too."""
    days = (first + dt.timedelta(days=at) for at in range((last - first).days + 1))
    return dict.fromkeys(map(label, days))


def _answers(
    records: Iterable[Record], of: Callable[[Record], str], labels: Sequence[str], unit: str
) -> Chart:
    sums: Mapping[str, Counter[str]] = defaultdict(Counter)
    for it in records:
        total, answered, failed = (
            number or 0 for number in (it.total_requests, it.succeeded_requests, it.failed_requests)
        )
        sums["answered"][of(it)] += answered
        sums["failed"][of(it)] += failed
        sums["not answered"][of(it)] += max(0, total - answered - failed)
    names = ("answered", "failed", "not answered")
    series = [Series(name, [sums[name][label] for label in labels]) for name in names]
    return Chart(
        title=f"Requests by {unit} of the create",
        labels=labels,
        series=series,
        show=_count,
        short=short,
        look="answers",
    )


def _used(
    records: Sequence[Record], of: Callable[[Record], str], labels: Sequence[str], title: str, key: KeyOf
) -> Chart:
    """Return the chart of what jobs cost, or of their tokens if no cost is known."""
    currency = next((it.currency for it in records if it.currency), "")
    sums: Mapping[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for it in records:
        sums[key(it)][of(it)] += (it.cost if currency else it.total_tokens) or 0
    series = _largest(sums, labels)
    if not currency:
        return Chart(title=f"Tokens {title}", labels=labels, series=series, show=_count, short=short)
    show = partial(spent, currency=currency)
    return Chart(title=f"Cost {title}", labels=labels, series=series, show=show, short=show)


def _largest(sums: Mapping[str, Mapping[str, float]], labels: Sequence[str]) -> Sequence[Series]:
    """Return the largest groups as series, and the rest as one."""
    names = sorted(sums, key=lambda name: (-sum(sums[name].values()), name))
    kept, rest = names[:MAX_SERIES], names[MAX_SERIES:]
    series = [Series(name, [sums[name].get(label, 0) for label in labels]) for name in kept]
    others = [sum(sums[name].get(label, 0) for name in rest) for label in labels]
    return [*series, Series(OTHERS, others)] if rest else series


def _count(number: float) -> str:
    return f"{number:,.0f}"

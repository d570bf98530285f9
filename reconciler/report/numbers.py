"""Numbers and times of a report as text."""

from __future__ import annotations

from typing import Final

from reconciler.history.stats import StatsRow
from reconciler.text.money import spent
from reconciler.text.timestamps import rfc3339

_UNITS: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MANY: Final = 10**9


def at_least(number: int, unknown: int) -> str:
    """Return a sum, marked as a lower bound if some of its numbers are unknown, and `?` if all are."""
    shown = f"{number:,}" if number < _MANY else short(number)
    return "?" if unknown and not number else ("≥ " if unknown else "") + shown


def figures(total: StatsRow) -> list[tuple[str, str]]:
    """Return the sums over jobs, each with its name."""
    return [
        ("Requests", at_least(total.requests, total.requests_unknown)),
        ("Answered", at_least(total.answered, total.answered_unknown)),
        ("Failed", at_least(total.failed, total.answered_unknown)),
        ("Tokens", at_least(total.tokens, total.tokens_unknown)),
        ("Cost", spent(total.cost, total.currency, lower=total.cost_unknown > 0)),
    ]


def minute(when: float) -> str:
    """Return a time to the minute, in UTC."""
    return rfc3339(when)[:16].replace("T", " ")


def short(number: float) -> str:
    """Return a count in a few characters: `2.5 M`."""
    for unit_size, unit in _UNITS:
        if abs(number) >= unit_size:
            return f"{number / unit_size:.3g} {unit}"
    return f"{number:.3g}"

"""Sizes and durations as text."""

from __future__ import annotations

from typing import Final

from reconciler.text.plural import age, pluralize

KILO: Final = 1000
UNITS: Final = ("bytes", "kB", "MB", "GB")


def size(number: int) -> str:
    """Return a number of bytes for a reader: `4.1 MB`."""
    value, unit = float(number), UNITS[0]
    for unit in UNITS:  # noqa: B007  the last one stays
        if value < KILO:
            break
        value /= KILO
    return pluralize(number, "byte") if unit == UNITS[0] else f"{value:.1f} {unit}"


def span(seconds: float) -> str:
    """Return a span of time with seconds, for progress: `1 min 5 s`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if 0 < minutes < 60 else age(whole)  # noqa: PLR2004  minutes of an hour

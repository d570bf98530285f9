"""Counts, times and sizes for a reader: `1 job`, `1,200 jobs`, `2 h 5 min`, `4.1 MB`."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400
"""Seconds."""
KILO: Final = 1000
UNITS: Final = ("bytes", "kB", "MB", "GB")


def pluralize(number: int, noun: str, plural: str = "") -> str:
    """Return `1 job`, `1,200 jobs`; without `plural`, the noun with an s is used."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def age(seconds: float) -> str:
    """Return a span of time for a reader: `2 h 5 min`."""
    minutes = max(0, int(seconds)) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{int(max(0, seconds))} s"


def size(number: int) -> str:
    """Return a number of bytes for a reader: `4.1 MB`."""
    value, unit = float(number), UNITS[0]
    for unit in UNITS:  # noqa: B007  the last one stays
        if value < KILO:
            break
        value /= KILO
    return pluralize(number, "byte") if unit == UNITS[0] else f"{value:.1f} {unit}"

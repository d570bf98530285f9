"""Counts and times for a reader: `1 job`, `1,200 jobs`, `2 h 5 min`."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400
"""Seconds."""


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

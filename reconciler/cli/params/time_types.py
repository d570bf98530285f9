"""Read times and durations on the command line: functions for `type=` of an option."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import click

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(s|min|m|h|d|w)?", re.IGNORECASE)
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


def duration(text: str) -> float:
    """Read a duration in seconds: `90`, `30m`, `2h`, `1d`. Raises `BadParameter` if the text is not a duration."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not a duration, such as 90, 30m, 2h or 1d.")
    return float(found[1]) * _SECONDS[(found[2] or "s").lower()]


def moment(text: str) -> float | dt.timedelta:
    """Read a time as Unix seconds, or as a duration before now.

    `2026-11`, `2026-11-01`, `2026-11-01T12:00Z`, or `7d` for seven days ago. Without a zone it is UTC. Raises
    `BadParameter` if the text is neither.
    """
    shown = text.strip()
    try:
        if shown[-1:].isalpha() and shown[-1:] not in "zZ":
            return dt.timedelta(seconds=duration(shown))
        found = dt.datetime.fromisoformat(f"{shown}-01" if _MONTH.fullmatch(shown) else shown)
    except (ValueError, click.BadParameter):
        raise click.BadParameter(
            f"{text!r} is neither a date, such as 2026-11-01, nor a duration, such as 7d."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def unix(when: float | dt.timedelta | None, now: float) -> float | None:
    """Return a time as Unix seconds."""
    return now - when.total_seconds() if isinstance(when, dt.timedelta) else when

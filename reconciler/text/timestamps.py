"""Times in RFC 3339 format, for readers and machines."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final, Literal

_DATE: Final = len("2026-11-10")


def month_began(when: float) -> float:
    """Return the beginning of a calendar month in UTC, from a time in it; both are Unix seconds."""
    first = dt.datetime.fromtimestamp(when, dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first.timestamp()


def rfc3339(when: float, precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return Unix seconds as an RFC 3339 time in UTC, truncated to the precision."""
    return dt.datetime.fromtimestamp(when, dt.UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"


@lru_cache(maxsize=64)  # many specs of a load ask for the same
def day_of(when: float) -> str:
    """Return the day of Unix seconds in UTC: `2026-11-10`."""
    return rfc3339(when)[:_DATE]

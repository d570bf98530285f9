"""A `rerun` that the calendar changes: the name of the period that a moment lies in.

A pure function of the moment and the tz database. Within a zone the name may return to the period before only where
clocks are set back across midnight, and that period's work is bought already.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from reconciler.text.suggest import nearest

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def name_of(day: dt.date, every: str) -> str:
    """Return `2026-11-23`, `2026-W48` or `2026-11`."""
    if every == "day":
        return day.isoformat()
    if every == "month":
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def zone_of(name: str) -> ZoneInfo | None:
    """Return a zone of the tz database, None where it holds none of that name."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only specs with a period need it

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a folder of the database, on some systems
        return None


def like(name: str) -> str:
    """Return a hint for a zone that is not known."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - likewise

    found = nearest(name, available_timezones())
    return f"did you mean `{found}`?" if found else "its name in the tz database, such as `Europe/Paris`"


def day_of(now: float, zone: ZoneInfo) -> dt.date:
    """Return the calendar day of a moment.

    Args:
        now: Unix seconds.
        zone: whose calendar.
    """
    return dt.datetime.fromtimestamp(now, zone).date()

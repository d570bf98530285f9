"""Periods for `rerun`: the name of the period of a given time.

The name depends only on the time and the tz database. Within a zone it can go back to the previous period only if the
clocks are set back across midnight; the work of that period has been submitted by then.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from reconciler.text.suggest import did_you_mean

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


_MEANT: Final = re.compile(
    r"@?(?:(?:every|each|per|once an?)[ _-]?)?"
    r"(?:(?P<day>days?|daily|nights?|nightly|midnight)|(?P<week>weeks?|weekly)|(?P<month>months?|monthly)"
    r"|(?P<other>hours?|hourly|minutes?|quarters?|quarterly|years?|yearly|annually))",
    re.IGNORECASE,
)
_NAMES: Final = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
_CRON: Final = re.compile(r"(?:[0-9*/,-]+ ){4}[0-9*/,-]+")


def meant(text: str) -> str:
    """Return `day`, `week` or `month` if a text is a word for it, "" otherwise."""
    found = _MEANT.fullmatch(text)
    return (found.lastgroup or "").replace("other", "") if found else ""


def hint_for_text(text: str) -> str:
    """Return the hint for a `rerun` that was probably meant as a period, "" for any other text."""
    if not _MEANT.fullmatch(text) and not _CRON.fullmatch(text):
        return ""
    every = meant(text)
    return f"write `rerun: {{every: {every}}}`" if every else "write `rerun: {every: day}`, `week` or `month`"


def name_of(day: dt.date, every: str) -> str:
    """Return `2026-11-23`, `2026-W48` or `2026-11`."""
    return day.strftime(_NAMES[every])


def zone_of(name: str) -> ZoneInfo | None:
    """Return a zone of the tz database, None if there is none of that name."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only specs with a period need it

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: on some systems, for a folder of the database
        return None


def like(name: str) -> str:
    """Return a hint for an unknown zone."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - likewise

    return did_you_mean(name, available_timezones(), "use a name of the tz database, such as `Europe/Paris`")

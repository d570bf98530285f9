"""Times and spans of time as they are typed."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import click

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(s|min|m|h|d|w)?", re.IGNORECASE)
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


class Span(click.ParamType[float]):
    """A span of time in seconds: `90`, `30m`, `2h`, `1d`."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a span.

        Raises:
            BadParameter: it is none.
        """
        if isinstance(value, float):
            return value
        seconds = _span(str(value))
        if seconds is None:
            self.fail(f"{value!r} is no span of time, such as 90, 30m, 2h or 1d.", param, ctx)
        return seconds


class Moment(click.ParamType[float | dt.timedelta]):
    """A moment: `2026-11`, `2026-11-01`, `2026-11-01T12:00Z`, or how long ago: `7d`. Without a zone it is UTC."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | dt.timedelta:
        """Read a moment: Unix seconds, or a span before now.

        Raises:
            BadParameter: it is none.
        """
        if isinstance(value, float | dt.timedelta):
            return value
        text = str(value).strip()
        seconds = _span(text) if text[-1:].isalpha() and text[-1:] not in "zZ" else None
        if seconds is not None:
            return dt.timedelta(seconds=seconds)
        try:
            found = dt.datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
        except ValueError:
            self.fail(f"{value!r} is no date, such as 2026-11-01, and no span such as 7d.", param, ctx)
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def _span(text: str) -> float | None:
    found = _SPAN.fullmatch(text.strip())
    return float(found[1]) * _SECONDS[(found[2] or "s").lower()] if found else None


def unix(moment: float | dt.timedelta | None, now: float) -> float | None:
    """Return a moment as Unix seconds."""
    return now - moment.total_seconds() if isinstance(moment, dt.timedelta) else moment


SPAN: Final = Span()
MOMENT: Final = Moment()

"""Parameter types for times and durations."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import click

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(s|min|m|h|d|w)?", re.IGNORECASE)
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


class DurationParam(click.ParamType[float]):
    """A duration in seconds: `90`, `30m`, `2h`, `1d`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a duration.

        Raises:
            BadParameter: the text is not a duration.
        """
        if isinstance(value, float):
            return value
        seconds = _duration(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a duration, such as 90, 30m, 2h or 1d.", param, ctx)
        return seconds


class TimestampParam(click.ParamType[float | dt.timedelta]):
    """A time: `2026-11`, `2026-11-01`, `2026-11-01T12:00Z`, or `7d` for seven days ago. Without a zone it is UTC."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | dt.timedelta:
        """Read a time: Unix seconds, or a duration before now.

        Raises:
            BadParameter: the text is neither.
        """
        if isinstance(value, float | dt.timedelta):
            return value
        text = str(value).strip()
        seconds = _duration(text) if text[-1:].isalpha() and text[-1:] not in "zZ" else None
        if seconds is not None:
            return dt.timedelta(seconds=seconds)
        try:
            found = dt.datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
        except ValueError:
            self.fail(
                f"{value!r} is neither a date, such as 2026-11-01, nor a duration, such as 7d.", param, ctx
            )
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def _duration(text: str) -> float | None:
    found = _DURATION.fullmatch(text.strip())
    return float(found[1]) * _SECONDS[(found[2] or "s").lower()] if found else None


def unix(moment: float | dt.timedelta | None, now: float) -> float | None:
    """Return a time as Unix seconds."""
    return now - moment.total_seconds() if isinstance(moment, dt.timedelta) else moment


DURATION: Final = DurationParam()
TIMESTAMP: Final = TimestampParam()

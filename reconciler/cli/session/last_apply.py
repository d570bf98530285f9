"""When an apply on this host last did all that could be done, for monitoring. It decides nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from reconciler import file_access
from reconciler.context import ApiT, RunContext

_FILE: Final = "last_apply"
_LONGEST: Final = 40


def note_applied(run: RunContext[ApiT]) -> None:
    """Note the time. A file that cannot be written fails no apply."""
    with suppress(OSError):
        file_access.replace(run.folder / _FILE, f"{run.env.now()}\n".encode())


def applied_at(run: RunContext[ApiT]) -> float | None:
    """Return the time in Unix seconds, None if it is not known."""
    with suppress(OSError, ValueError):
        return float(file_access.read(run.folder / _FILE, _LONGEST))
    return None

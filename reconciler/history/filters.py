"""Select records."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate

from reconciler.history.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilter:
    """The conditions on a record; an empty one always holds."""

    names: tuple[str, ...] = ()
    """Globs; the name must match one."""
    statuses: tuple[str, ...] = ()
    """The API's statuses, in any case; the status must be one of them. `?` means an unknown status."""
    since: float | None = None
    """Unix seconds: created at that time or later."""
    until: float | None = None
    """Unix seconds: created before that time."""
    commit: str = ""
    """Prefix of the commit."""
    actor: str = ""
    """The actor, in any case."""


def filter_records(records: Iterable[Record], wanted: HistoryFilter) -> tuple[Record, ...]:
    """Return the records that match the filter, in their order."""
    fits = re.compile("|".join(map(translate, wanted.names)) or ".*").match
    words = {word.upper() for word in wanted.statuses}
    start, who = wanted.commit.lower(), wanted.actor.casefold()
    since, until = wanted.since, wanted.until
    return tuple(
        it
        for it in records
        if fits(it.name)
        and (not words or (it.status or "?").upper() in words)
        and (since is None or (it.created_at is not None and it.created_at >= since))
        and (until is None or (it.created_at is not None and it.created_at < until))
        and (it.commit or "").lower().startswith(start)
        and (not who or (it.actor or "").casefold() == who)
    )

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
    found = list(records)
    if wanted.names:
        fits = re.compile("|".join(map(translate, wanted.names))).match
        found = [record for record in found if fits(record.name)]
    if wanted.statuses:
        words = {word.upper() for word in wanted.statuses}
        found = [record for record in found if (record.status or "?").upper() in words]
    if wanted.since is not None:
        since = wanted.since
        found = [it for it in found if it.created_at is not None and it.created_at >= since]
    if wanted.until is not None:
        until = wanted.until
        found = [it for it in found if it.created_at is not None and it.created_at < until]
    if wanted.commit:
        start = wanted.commit.lower()
        found = [record for record in found if record.commit and record.commit.lower().startswith(start)]
    if wanted.actor:
        who = wanted.actor.casefold()
        found = [record for record in found if record.actor and record.actor.casefold() == who]
    return tuple(found)

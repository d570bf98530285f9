"""Which records are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate

from reconciler.history.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a record must meet; empty parts ask for nothing."""

    names: tuple[str, ...] = ()
    """Globs, any of which must fit."""
    statuses: tuple[str, ...] = ()
    """The API's words, in any case; any of them. `?` for those that nobody knows."""
    since: float | None = None
    """Unix seconds: created then or later."""
    until: float | None = None
    """Unix seconds: created before."""
    commit: str = ""
    """How the commit begins."""
    actor: str = ""
    """In any case."""


def chosen(records: Iterable[Record], wish: Wish) -> tuple[Record, ...]:
    """Return the records that meet a wish, in their order."""
    found = list(records)
    if wish.names:
        fits = re.compile("|".join(map(translate, wish.names))).match
        found = [record for record in found if fits(record.name)]
    if wish.statuses:
        words = {word.upper() for word in wish.statuses}
        found = [record for record in found if (record.status or "?").upper() in words]
    if wish.since is not None:
        since = wish.since
        found = [it for it in found if it.created_at is not None and it.created_at >= since]
    if wish.until is not None:
        until = wish.until
        found = [it for it in found if it.created_at is not None and it.created_at < until]
    if wish.commit:
        start = wish.commit.lower()
        found = [record for record in found if record.commit and record.commit.lower().startswith(start)]
    if wish.actor:
        who = wish.actor.casefold()
        found = [record for record in found if record.actor and record.actor.casefold() == who]
    return tuple(found)

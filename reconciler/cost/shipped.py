"""The prices that ship with the package, in the table of models: `models.json` has its date and its sources."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import msgspec
from msgspec import Struct

from reconciler.catalogue import models
from reconciler.cost.prices import Move, Price, Prices, Rates


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    model: str
    since: str = ""
    live: Rates
    batch: Rates
    sources: tuple[str, ...]
    unsure: str = ""


class _Table(Struct, frozen=True):
    date: str
    moves: tuple[Move, ...]
    prices: tuple[_Row, ...]


@cache
def shipped() -> Prices:
    """Return the prices that come with the package, in US dollars."""
    table = msgspec.json.decode(models.document(), type=_Table)
    rows = defaultdict[str, list[Price]](list)
    for it in table.prices:
        price = Price(
            model=it.model,
            batch=it.batch,
            live=it.live,
            since=it.since,
            date=table.date,
            source=", ".join(it.sources),
            unsure=it.unsure,
        )
        rows[it.model].append(price)
    return Prices(
        date=table.date,
        rows={model: tuple(found) for model, found in rows.items()},
        aliases={name: model.id for name, model in models.by_name().items() if name != model.id},
        moves=table.moves,
    )

"""The prices of models, by day, and what usage costs by them.

A price is a list price without tax. It was not compared with an invoice. Amounts are whole millionths of the
currency's unit; a cost is exact until it is rounded once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct

from reconciler.model.money import Usage
from reconciler.text.money import MICROS

PAGES: Final = 1000
"""The number of pages that prices of pages are for."""
MINUTE: Final = 60
"""Seconds."""


Amount = Annotated[float, Meta(ge=0, le=1_000_000)]


class Rates(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What each unit costs. One that is missing is not paid for."""

    input: Amount | None = None
    """A million tokens in."""
    cached: Amount | None = None
    """A million tokens in that the provider had cached; if it is missing, as much as others."""
    output: Amount | None = None
    """A million tokens out."""
    pages: Amount | None = None
    """1,000 pages of documents."""
    annotated: Amount | None = None
    """1,000 pages of documents with annotations, in place of `pages`; if it is missing, as much as others."""
    minutes: Amount | None = None
    """A minute of audio."""


class Price(Struct, frozen=True, kw_only=True):
    """What a model costs, from a day on."""

    model: str
    batch: Rates
    live: Rates | None = None
    """Outside of batches; None if it is not known."""
    currency: str = "USD"
    since: str = ""
    """The first day of the price, `YYYY-MM-DD`; "" if it is older than the table."""
    date: str
    """The date of the table that it is from, `YYYY-MM-DD`."""
    source: str
    """The sources of the table for it."""
    unsure: str = ""
    """Why it may be wrong, for readers; "" if the sources agree."""


class Move(Struct, frozen=True, kw_only=True):
    """What an alias meant before the model that it means now."""

    alias: str
    before: str
    """The first day on which it means a newer model, `YYYY-MM-DD`."""
    model: str


class Prices(Struct, frozen=True, kw_only=True):
    """The prices that a run uses."""

    date: str
    """When they were collected, `YYYY-MM-DD`."""
    currency: str = "USD"
    rows: Mapping[str, tuple[Price, ...]] = {}
    """By the name of the model, the oldest first."""
    aliases: Mapping[str, str] = {}
    """What each alias means at the date of the table."""
    moves: tuple[Move, ...] = ()
    """The oldest first."""

    def resolve(self, model: str, day: str) -> str:
        """Return the id that a model's name means on a day, `YYYY-MM-DD`: itself, unless it is an alias."""
        earlier = (it.model for it in self.moves if it.alias == model and day < it.before)
        return next(earlier, self.aliases.get(model, model))

    def of(self, model: str, day: str) -> Price | None:
        """Return the price of a model on a day, `YYYY-MM-DD`; None if it is not known."""
        for name in (model, self.resolve(model, day)):
            valid = [it for it in self.rows.get(name, ()) if it.since <= day]
            if valid:
                return valid[-1]
        return None


def cost_of(price: Price | None, usage: Usage, *, live: bool = False) -> int | None:
    """Return what usage costs in micros, rounded half to even; None if the price, or a part of it, is not known.

    The price is that of batches, or if `live` that of single requests. Models that are paid by pages or minutes report
    tokens too, which cost nothing.
    """
    rates = None if price is None else price.live if live else price.batch
    if rates is None:
        return None
    by_tokens = (rates.input, rates.output) != (None, None)
    cached, annotated = min(usage.cached, usage.prompt), min(usage.annotated, usage.pages)
    parts = (
        (usage.prompt - cached, rates.input if by_tokens else 0.0),
        (cached, (rates.input if rates.cached is None else rates.cached) if by_tokens else 0.0),
        (usage.completion, rates.output if by_tokens else 0.0),
        (Decimal(usage.pages - annotated) * MICROS / PAGES, rates.pages),
        (Decimal(annotated) * MICROS / PAGES, rates.pages if rates.annotated is None else rates.annotated),
        (Decimal(str(usage.audio_seconds)) * MICROS / MINUTE, rates.minutes),
    )
    exact = Decimal(0)
    for amount, rate in parts:
        if amount and rate is None:
            return None
        exact += amount * Decimal(str(rate or 0))
    return int(exact.to_integral_value(ROUND_HALF_EVEN))

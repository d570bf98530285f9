"""The JSON of prices and of costs. Amounts are in the unit of their currency, with at most six decimals."""

from __future__ import annotations

from msgspec import Struct

from reconciler.cost.prices import Price


class PriceDoc(Price, frozen=True, kw_only=True):
    """The price of a model."""

    aliases: tuple[str, ...] = ()
    """Other names of the model at the date of the table."""
    current: bool
    """Whether it holds today, and the model is not retired."""


class PriceListDoc(Struct, frozen=True, kw_only=True):
    """The output of `prices --format json`."""

    date: str
    """The date of `prices.yaml`, or else of the table of the package."""
    currency: str
    prices: tuple[PriceDoc, ...]

"""The JSON of prices and of costs. Amounts are in the unit of their currency, with at most six decimals."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class PriceDoc(Struct, frozen=True, kw_only=True):
    """The price of a model."""

    model: str
    aliases: tuple[str, ...] = ()
    """Other names of the model at the date of the table."""
    current: bool
    """Whether it holds today, and the model is not retired."""
    since: str
    """The first day that it holds for, `YYYY-MM-DD`; "" if it is older than the table."""
    batch: Mapping[str, float]
    """Of batches, by unit: a million tokens of `input`, `cached` input and `output`, 1,000 `pages` without and with
    annotations (`annotated`), and a minute of audio (`minutes`)."""
    live: Mapping[str, float] | None
    """Of single requests, likewise; null if it is not known."""
    currency: str
    date: str
    """The date of the table that it is from."""
    source: str
    """The sources of that table, or the line of `prices.yaml`."""
    unsure: str
    """Why it may be wrong; "" if the sources agree."""


class PriceListDoc(Struct, frozen=True, kw_only=True):
    """The output of `prices --format json`."""

    date: str
    """The date of `prices.yaml`, or else of the table of the package."""
    currency: str
    prices: tuple[PriceDoc, ...]

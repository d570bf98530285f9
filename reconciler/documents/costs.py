"""The JSON of prices, and what a job cost by all that is known of it."""

from __future__ import annotations

from msgspec import Struct

from reconciler.cost.actual import Cost, actual_cost
from reconciler.cost.prices import Price, Prices
from reconciler.documents.result_summary import ResultSummary, usage
from reconciler.ledger.lines import UsageSeen


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


def job_cost(
    prices: Prices,
    seen: UsageSeen | None,
    summary: ResultSummary | None,
    *,
    model: str | None,
    created_at: int,
    succeeded: int,
) -> Cost | None:
    """Return what a job cost, by a line of the ledger or by its pulled results, whichever has more answers.

    The last three are what the API says of the job. None if the cost is not known.
    """
    found = [usage(summary, succeeded)] if summary else []
    found += [seen.usage] if seen else []
    used = max(found, key=lambda it: it.answers, default=None)
    priced = (summary and summary.priced_model) or (seen and seen.model) or model
    return actual_cost(prices, priced, created_at, used)

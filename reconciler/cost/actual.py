"""What jobs cost: what their answers used, by the prices of the day on which they were created. Pure."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from reconciler.cost.prices import Prices, cost_of
from reconciler.model.money import Usage
from reconciler.text.money import MICROS
from reconciler.text.timestamps import day_of


class Cost(Struct, frozen=True, kw_only=True):
    """What answers cost by list prices, without tax."""

    amount: float
    """In the unit of the currency, with at most six decimals."""
    currency: str
    prices: str
    """The date of the prices, `YYYY-MM-DD`."""
    lower_bound: bool
    """Whether it may be more, because the usage of some answers is not known."""

    @property
    def micros(self) -> int:
        """The amount in millionths."""
        return round(self.amount * MICROS)


def actual_cost(
    prices: Prices, model: str | None, created_at: int, usage: Usage | None, *, live: bool = False
) -> Cost | None:
    """Return what a job cost, or single requests if `live`; None if that is not known. The time is in Unix seconds."""
    if usage is None or (usage.incomplete and not usage.answers):
        return None
    price = prices.of(model or "", day_of(created_at))
    micros = cost_of(price, usage, live=live) if usage.answers else 0
    return (
        None
        if micros is None
        else Cost(
            amount=micros / MICROS,
            currency=prices.currency,
            prices=price.date if price else prices.date,
            lower_bound=usage.incomplete > 0,
        )
    )


def total_cost(costs: Collection[Cost | None]) -> Cost | None:
    """Return the sum of costs of one currency, None if none is known; a lower bound if one of them is not."""
    known = [it for it in costs if it is not None]
    if not known:
        return None
    return Cost(
        amount=sum(it.micros for it in known) / MICROS,
        currency=known[0].currency,
        prices=max(it.prices for it in known),
        lower_bound=len(known) < len(costs) or any(it.lower_bound for it in known),
    )

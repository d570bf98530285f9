"""What the creates of a plan may cost, as a plan shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from reconciler.cost.estimate import in_total
from reconciler.model.money import Estimate
from reconciler.text.money import MICROS


class CostDoc(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a create will probably cost, and the most that it can cost; a number that is not known is left out."""

    currency: str
    low: float | None = None
    """Nine of ten actual costs are between `low` and `high`."""
    expected: float | None = None
    high: float | None = None
    at_most: float | None = None
    """The actual cost is never larger."""
    in_all: float | None = None
    """The most that it and all later parts can cost, each request once."""
    prices: str = ""
    """The date of the price, `YYYY-MM-DD`."""
    basis: tuple[str, ...] = ()
    """What it rests on."""
    gaps: tuple[str, ...] = ()
    """What is not known or not bounded, and what to do."""

    @classmethod
    def of(cls, it: Estimate) -> CostDoc:
        """Return an estimate as a document."""
        amounts = {name: _units(getattr(it, name)) for name in AMOUNTS}
        return cls(currency=it.currency, prices=it.prices, basis=it.basis, gaps=it.gaps, **amounts)

    @property
    def estimate(self) -> Estimate:
        """The amounts in micros."""
        amounts = {name: _micros(getattr(self, name)) for name in AMOUNTS}
        return Estimate(currency=self.currency, prices=self.prices, **amounts)  # type: ignore[arg-type]


AMOUNTS: Final = ("low", "expected", "high", "at_most", "in_all")


def total(costs: Sequence[CostDoc]) -> CostDoc | None:
    """Return the sum of costs in one currency, None if there are none."""
    found = in_total([it.estimate for it in costs])
    return None if found is None else CostDoc.of(found)


def _units(micros: int | None) -> float | None:
    return None if micros is None else micros / MICROS


def _micros(units: float | None) -> int | None:
    return None if units is None else round(units * MICROS)

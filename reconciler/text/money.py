"""Amounts of money for a reader: `$0.42`, `€1,204.50`, `CHF 0.0031`, and `?` for one that is not known. Pure."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Final

MICROS: Final = 1_000_000
"""In the unit of a currency."""
SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£"}
"""Of currencies; others are shown by their code."""


def money(micros: int | None, currency: str = "USD", *, at_most: bool = False) -> str:
    """Return an amount, given in millionths of the currency's unit, with two decimals, or two digits below a cent.

    An upper bound, `at_most`, is rounded up, so that the text is one too.
    """
    if micros is None:
        return "?"
    return f"{SYMBOLS.get(currency, f'{currency} ')}{number(micros, at_most=at_most)}"


def spent(amount: float | None, currency: str | None, *, lower: bool = False) -> str:
    """Return an amount in units of its currency, marked with ≥ if it is a lower bound."""
    if amount is None or not currency:
        return "?"
    return ("≥ " if lower else "") + money(round(amount * MICROS), currency)


def number(micros: int, *, at_most: bool = False) -> str:
    """Return an amount as `money` shows it, without its currency."""
    amount = Decimal(micros).scaleb(-6)
    digits = -2 if not micros or abs(amount) >= Decimal("0.01") else max(amount.adjusted() - 1, -6)
    shown = amount.quantize(Decimal(1).scaleb(digits), ROUND_CEILING if at_most else ROUND_HALF_EVEN)
    return f"{shown:,f}"

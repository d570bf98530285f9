"""Amounts of money as readers see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.text.money import money


@pytest.mark.parametrize(
    ("micros", "currency", "text"),
    [
        (None, "USD", "?"),
        (0, "USD", "$0.00"),
        (420_000, "USD", "$0.42"),
        (420_000, "EUR", "€0.42"),
        (420_000, "CHF", "CHF 0.42"),
        (3_100, "USD", "$0.0031"),
        (3_149, "USD", "$0.0031"),
        (9_999, "USD", "$0.0100"),
        (10_000, "USD", "$0.01"),
        (4, "USD", "$0.000004"),
        (45, "USD", "$0.000045"),
        (1_204_500_000, "USD", "$1,204.50"),
        (1_005_000, "USD", "$1.00"),
        (1_015_000, "USD", "$1.02"),
    ],
)
def test_an_amount_has_its_symbol_and_enough_digits(micros: int | None, currency: str, text: str) -> None:
    assert money(micros, currency) == text


@given(st.integers(0, 10**15))
def test_the_text_of_an_upper_bound_is_one(micros: int) -> None:
    shown = money(micros, "USD", at_most=True).removeprefix("$").replace(",", "")
    assert float(shown) * 1_000_000 >= micros * (1 - 1e-12)
    assert (float(shown) > 0) == (micros > 0)

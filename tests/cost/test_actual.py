"""What a job cost, and sums of costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cost.actual import Cost, actual_cost, total_cost
from reconciler.cost.prices import Price, Prices, Rates
from reconciler.model.money import Usage

DAY = 1_790_000_000
"""2026-09-21."""
OLD, NEW = Rates(input=1, output=2), Rates(input=10, output=20)
PRICES = Prices(
    date="2026-11-28",
    rows={
        "m": tuple(
            Price(model="m", batch=rates, since=since, date="2026-11-28", source="docs")
            for rates, since in ((OLD, ""), (NEW, "2026-09-21"))
        )
    },
)


def paid(usage: Usage | None, *, model: str | None = "m", at: int = DAY) -> float | None:
    found = actual_cost(PRICES, model, at, usage)
    return None if found is None else found.amount


def test_a_job_costs_its_usage_at_the_price_of_its_day() -> None:
    used = Usage(answers=1, prompt=1_000, completion=100)
    assert paid(used) == 0.012
    assert paid(used, at=DAY - 86_400) == 0.0012


@pytest.mark.parametrize(
    ("usage", "model"),
    [
        (None, "m"),
        (Usage(answers=1, prompt=1), None),
        (Usage(answers=1, prompt=1), "other"),
        (Usage(answers=1, pages=1), "m"),
        (Usage(incomplete=3), "m"),
    ],
)
def test_a_cost_of_which_a_part_is_unknown_is_not_known(usage: Usage | None, model: str | None) -> None:
    assert paid(usage, model=model) is None


@pytest.mark.parametrize("model", ["m", "other", None])
def test_a_job_without_answers_costs_nothing_whatever_its_price(model: str | None) -> None:
    assert paid(Usage(), model=model) == 0


def test_a_cost_is_a_lower_bound_if_the_usage_of_some_answers_is_not_known() -> None:
    found = actual_cost(PRICES, "m", DAY, Usage(answers=2, prompt=10, incomplete=1))
    assert found is not None
    assert found.lower_bound


def cost(amount: float, *, lower: bool = False) -> Cost:
    return Cost(amount=amount, currency="USD", prices="2026-11-28", lower_bound=lower)


def test_a_sum_is_a_lower_bound_if_a_part_is_one_or_is_not_known() -> None:
    assert total_cost([]) is None
    assert total_cost([None, None]) is None
    assert total_cost([cost(0.1), cost(0.2)]) == cost(0.3)
    assert total_cost([cost(0.1), None]) == cost(0.1, lower=True)
    assert total_cost([cost(0.1), cost(0.2, lower=True)]) == cost(0.3, lower=True)


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_no_millionth_is_lost_in_a_sum(micros: list[int]) -> None:
    found = total_cost([cost(it / 1_000_000) for it in micros])
    assert found is not None
    assert found.micros == sum(micros)

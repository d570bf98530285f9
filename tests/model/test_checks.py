"""Which checks of results do not hold: those whose share is above the limit, and not at it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import Checks

NAMES = ("failed", "invalid", "truncated")


def test_without_a_spec_no_request_may_fail_and_no_answer_be_invalid_and_all_may_be_cut_off() -> None:
    assert Checks().broken(dict.fromkeys(NAMES, (1, 1_000_000))) == {
        "failed": "checks.failed: at most 0",
        "invalid": "checks.invalid: at most 0",
    }
    assert Checks().broken({"truncated": (5, 5)}) == {}


def test_what_is_not_known_or_of_nothing_holds() -> None:
    strict = Checks(failed=0.0, invalid=0.0, truncated=0.0)
    assert strict.broken({}) == {}
    assert strict.broken(dict.fromkeys(NAMES, (0, 0))) == {}


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), st.data())
def test_a_share_written_with_four_digits_is_compared_as_it_is_written(
    name: str, counted: tuple[int, int], data: st.DataObject
) -> None:
    number, of = counted
    at = Fraction(number * 10_000, of)
    digits = data.draw(st.integers(0, 10_000) | st.sampled_from([int(at), min(10_000, int(at) + 1)]))
    limit = float(f"0.{digits:04}") if digits < 10_000 else 1.0
    broken = Checks(**{name: limit}).broken({name: counted})
    assert bool(broken) == (Fraction(number, of) > Fraction(digits, 10_000))

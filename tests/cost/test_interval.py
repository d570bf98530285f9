"""The interval after a canary holds the actual amount as often as it says."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from reconciler.cost.interval import Seen, factors, likely

CANARY: Final = 20
Draw = Callable[[random.Random, float], float]


def lognormal(rng: random.Random, variation: float) -> float:
    sigma = math.sqrt(math.log(1 + variation**2))
    return rng.lognormvariate(-(sigma**2) / 2, sigma)


def gamma(rng: random.Random, variation: float) -> float:
    return rng.gammavariate(variation**-2, variation**2)


def constant_and_exponential(rng: random.Random, variation: float) -> float:
    return 1 - variation + rng.expovariate(1 / variation) if variation <= 1 else gamma(rng, variation)


def few_long(rng: random.Random, variation: float) -> float:
    """One of five is long."""
    return max(0.01, 1 + variation * 2) if rng.random() < 0.2 else max(0.01, 1 - variation / 2)


SHAPES: Final[Mapping[str, Draw]] = {
    it.__name__: it for it in (lognormal, gamma, constant_and_exponential, few_long)
}


def seen(amounts: list[float]) -> Seen:
    return Seen(sum(amounts), sum(it * it for it in amounts), len(amounts), len(amounts))


def held(draw: Draw, variation: float, *, trials: int, following: int, seed: int) -> float:
    """Return the share of trials in which the interval after a canary holds the sum of the next answers."""
    rng, good = random.Random(f"{seed}-{variation}-{following}"), 0
    for _ in range(trials):
        canary = [max(1.0, round(400 * draw(rng, variation))) for _ in range(CANARY)]
        actual = sum(max(1.0, round(400 * draw(rng, variation))) for _ in range(following))
        low, _, high = likely(seen(canary), following)
        good += low <= actual <= high
    return good / trials


@pytest.mark.parametrize("shape", SHAPES)
def test_nine_of_ten_amounts_are_within_the_interval(shape: str) -> None:
    shares = [
        held(SHAPES[shape], it, trials=60, following=200, seed=1) for it in (0.3, 0.5, 0.7, 1.0, 1.25, 1.5)
    ]
    assert sum(shares) / len(shares) >= 0.9


LEAST: Final = {0.3: 0.95, 0.5: 0.95, 0.7: 0.92, 1.0: 0.88, 1.25: 0.85, 1.5: 0.83}
"""The least share by the variation, for any shape, less what 1,000 trials may miss."""


@pytest.mark.thorough
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variation", LEAST)
def test_each_variation_is_held_as_documented(shape: str, variation: float) -> None:
    assert held(SHAPES[shape], variation, trials=1_000, following=200, seed=2) >= LEAST[variation]


def test_the_interval_is_at_most_fifty_percent_wide_at_a_variation_of_one() -> None:
    for following in (170, 1_000, 1_000_000):
        low, high = factors(1.0, CANARY, following)
        assert low >= 0.5
        assert high <= 1.5
    assert factors(1.0, CANARY, 20)[1] > 1.5, "the next answers vary too"


def test_more_answers_make_it_narrower_down_to_five_percent() -> None:
    widths = [factors(1.0, answers, 10**6)[1] for answers in (1, 5, 20, 100, 1_000)]
    assert widths == sorted(widths, reverse=True)
    assert factors(0.3, 10**6, 10**6) == (0.95, 1.05)


def test_equal_amounts_still_leave_a_doubt() -> None:
    low, mean, high = likely(seen([100.0] * CANARY), 1_000)
    assert low < 0.85 * mean < 1.15 * mean < high


def test_without_squares_the_usual_variation_counts() -> None:
    one = seen([1.0, 2.0, 3.0])
    assert likely(one._replace(squares=0.0), 100)[2] / 200 == pytest.approx(factors(1.0, 3, 100)[1])


def test_amounts_that_follow_the_size_of_their_requests_are_known_well() -> None:
    """Requests of 100 to 10,000 bytes, with a token for every 4 bytes, within 10 %."""
    rng = random.Random(4)
    sizes = [rng.randint(100, 10_000) for _ in range(CANARY)]
    tokens = [size / 4 * rng.uniform(0.9, 1.1) for size in sizes]
    squares = sum(token**2 / size for token, size in zip(tokens, sizes, strict=True))
    low, mean, high = likely(Seen(sum(tokens), squares, CANARY, sum(sizes)), 1_000_000, usual=0.25)
    assert 0.85 * 250_000 < low < mean < high < 1.2 * 250_000

"""How much the next answers will use, by what earlier ones used: an interval that holds nine of ten actual amounts.

After the 20 answers of a canary, their mean is usually too low if a few long answers are most of the output. So the
interval reaches further up than down. With `v` the variation of the answers (standard deviation by mean), and `h` the
root of 1/earlier + 1/next, it is

    from  mean · exp(-2.3 v h)  to  mean · (1 + v h (2.1 + 4 max(0, v - 1)))

The variation of a few answers is itself a guess, so it is averaged with a usual one, which counts as much as five
answers. At a variation of 1, the interval after 20 answers ends 50 % above the mean for 170 next ones, and 47 % for any
number. It holds 90 % and more up to a variation of 1, and 86 to 95 % at 1.5, whether the answers are lognormal, gamma,
Weibull, exponential beside a constant, or a few long ones among short ones. Student's t, which is symmetric and assumes
a normal distribution, holds 84 and 80 % for lognormal ones. The numbers were found by simulation, and
`tests/cost/test_interval.py` repeats it.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

DOWN: Final = 2.3
UP: Final = 2.1
SKEW: Final = 4.0
USUAL: Final = 1.0
"""The usual variation of answers."""
WEIGHT: Final = 5
"""How many answers the usual variation counts as."""
LEAST: Final = 0.05
"""The least distance from the mean to each end: the next requests may differ from the earlier ones."""


class Seen(NamedTuple):
    """What earlier answers used of a unit."""

    total: float
    squares: float
    """Sum of the squares of each answer's amount, each divided by its share of `base`; 0 if it is not known."""
    answers: int
    base: float
    """What the amounts are relative to: the number of answers, or the bytes of their requests."""


class Likely(NamedTuple):
    """An amount."""

    low: float
    mean: float
    high: float


def likely(seen: Seen, ahead: float, *, usual: float = USUAL) -> Likely:
    """Return how much the next requests use, which are `ahead` in the unit of `base`."""
    ratio, each = seen.total / seen.base, seen.base / seen.answers
    variation = USUAL
    if seen.squares:
        spread = max(0.0, seen.squares - seen.total * ratio) / (ratio * ratio * each)
        variation = math.sqrt((spread + usual * usual * WEIGHT) / (seen.answers - 1 + WEIGHT))
    low, high = factors(variation, seen.answers, ahead / each)
    return Likely(ratio * ahead * low, ratio * ahead, ratio * ahead * high)


def factors(variation: float, earlier: int, following: float) -> tuple[float, float]:
    """Return the ends of the interval by the mean, after `earlier` answers, for the sum of `following` ones."""
    wide = variation * math.sqrt(1 / earlier + 1 / max(1.0, following))
    up = 1 + wide * (UP + SKEW * max(0.0, variation - 1))
    return min(1 - LEAST, math.exp(-DOWN * wide)), max(1 + LEAST, up)

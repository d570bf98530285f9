"""How late the files and the counters of a job are."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.requests.api import ERRORS, NEVER, OUTPUT

LATE_SECONDS: Final = 120.0
"""Within this time after a job's end, its files appear and its counters are right."""


@dataclass(frozen=True, kw_only=True)
class Climate:
    """How often files and counters are late in a schedule."""

    late: float = 0.0
    """Share of files and counters that are late."""
    withheld: float = 0.0
    """Share of jobs that end early and never name a file."""
    uncounted: bool = False
    """Whether the counters stay 0 for ever."""


@dataclass(frozen=True, kw_only=True)
class Lags:
    """How late the files and counters of one job are, in seconds after its end; NEVER for never."""

    counts: float = 0.0
    named: Mapping[str, float] = field(default_factory=lambda: {OUTPUT: 0.0, ERRORS: 0.0})
    there: Mapping[str, float] = field(default_factory=lambda: {OUTPUT: 0.0, ERRORS: 0.0})

    @classmethod
    def drawn(cls, dice: random.Random, climate: Climate) -> Lags:
        """Draw them for a job that has ended early."""
        withheld = dice.random() < climate.withheld
        return cls._drawn(dice, climate, withheld=withheld)

    @classmethod
    def of_a_success(cls, dice: random.Random, climate: Climate) -> Lags:
        """Draw them for a job that has succeeded: its files always come."""
        return cls._drawn(dice, climate, withheld=False)

    @classmethod
    def _drawn(cls, dice: random.Random, climate: Climate, *, withheld: bool) -> Lags:
        def late() -> float:
            return dice.random() * LATE_SECONDS / 2 if dice.random() < climate.late else 0.0

        return cls(
            counts=NEVER if climate.uncounted else late(),
            named={name: NEVER if withheld else late() for name in (OUTPUT, ERRORS)},
            there={name: late() for name in (OUTPUT, ERRORS)},
        )

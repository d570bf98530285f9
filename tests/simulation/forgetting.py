"""`plan` leaves out ended jobs that decide nothing and `apply` keeps all: both must decide the same."""

from __future__ import annotations

import math

from msgspec.structs import replace

from reconciler.past import Sieve
from reconciler.planner import plan
from reconciler.run import Situation


def check(situation: Situation) -> None:
    """Plan once more without the past, however young it is.

    Raises:
        AssertionError: something else is decided.
    """
    declared, observed, memory = situation.declared, situation.observed, situation.memory
    sieve = Sieve(declared, memory, since=math.inf)
    for ours in observed.ours:
        sieve.add(ours)
    if not sieve.past:
        return
    less = replace(observed, ours=sieve.kept, past=sieve.past)
    full, without = (plan(declared, it, memory, now=observed.began) for it in (observed, less))
    if full != without:
        raise AssertionError(f"without {dict(sieve.past)} of the past: {without}, not {full}")

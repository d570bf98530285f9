"""Schedules with a budget of costs. `python -m tests.simulation --budgets --seed N` shows one."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulation import budgets, tally
from tests.simulation.server import Server

CHUNK: Final = 10
QUICK: Final = 10
"""Schedules of the default run."""
THOROUGH: Final = 200
LONG: Final = 10_000


def assert_kept(seeds: range) -> None:
    found = tally.run(seeds, family=tally.BUDGETS)
    assert not found.violations, "\n".join(found.lines())
    assert found.counts["creates"] > len(seeds), "nothing was tried"
    assert found.counts["refused"] > len(seeds), "no budget was in the way"


@pytest.mark.parametrize(
    "start",
    [
        *range(0, QUICK, CHUNK),
        *(pytest.param(start, marks=pytest.mark.thorough) for start in range(QUICK, THOROUGH, CHUNK)),
    ],
)
def test_no_budget_is_exceeded(start: int) -> None:
    assert_kept(range(start, start + CHUNK))


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("start", range(THOROUGH, LONG, 200))
def test_no_budget_is_exceeded_in_many_more_schedules(start: int) -> None:
    assert_kept(range(start, start + 200))


def test_a_trace_changes_nothing() -> None:
    server = Server()
    plain, traced = (budgets.play(budgets.of(11), server, tracing=tracing) for tracing in (False, True))
    assert plain.counts == traced.counts
    assert plain.faults == traced.faults
    assert len(traced.lines) > len(plain.lines) == 0

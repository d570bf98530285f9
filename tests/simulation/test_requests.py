"""Schedules of jobs that have results. `python -m tests.simulation --requests --seed N` shows one."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulation import tally
from tests.simulation.requests.play import of, play

CHUNK: Final = 20
QUICK: Final = 20
"""Schedules of the default run."""
THOROUGH: Final = 500
LONG: Final = 10_000


def assert_kept(seeds: range) -> None:
    found = tally.run(seeds, family=tally.REQUESTS)
    assert not found.violations, "\n".join(found.lines())


@pytest.mark.parametrize(
    "start",
    [
        *range(0, QUICK, CHUNK),
        *(pytest.param(start, marks=pytest.mark.thorough) for start in range(QUICK, THOROUGH, CHUNK)),
    ],
)
def test_no_promise_about_requests_is_broken(start: int) -> None:
    assert_kept(range(start, start + CHUNK))


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("start", range(THOROUGH, LONG, 500))
def test_no_promise_about_requests_is_broken_in_many_more_schedules(start: int) -> None:
    assert_kept(range(start, start + 500))


def test_a_trace_changes_nothing() -> None:
    plain, traced = play(of(11)), play(of(11), tracing=True)
    assert plain.counts == traced.counts
    assert plain.faults == traced.faults
    assert len(traced.lines) > len(plain.lines) == 0

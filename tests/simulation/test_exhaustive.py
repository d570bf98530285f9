"""One apply, with every single fault, killed at every step, and run again: a sample, and all of it under `long`."""

from __future__ import annotations

import random

import pytest

from tests.simulation.exhaustive import Case, cases, check, placements, steps
from tests.simulation.faults import BEYOND, Fault
from tests.simulation.server import Server

PARTS = 4


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_an_apply_that_is_killed_at_any_step_reaches_its_goal_when_run_again(
    server: Server, part: int
) -> None:
    last = steps(server, -1, None)
    for killed_at in range(1 + part, last + 1, PARTS):
        assert not check(server, Case(-1, None, killed_at))


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_an_apply_with_any_fault_killed_at_some_step_reaches_its_goal_when_run_again(
    server: Server, part: int
) -> None:
    dice, last = random.Random(part), steps(server, -1, None)
    for request, fault in dice.sample(placements(server), 16):
        assert not check(server, Case(request, fault, dice.choice((None, dice.randrange(1, last)))))


def test_the_reference_apply_meets_every_fault_within_the_bounds(server: Server) -> None:
    assert {fault for _, fault in placements(server)} == set(Fault) - BEYOND


@pytest.mark.long
@pytest.mark.timeout(0)
def test_every_fault_and_a_kill_at_every_step_reach_the_goal(server: Server) -> None:
    assert not [wrong for case in cases(server) for wrong in check(server, case)]

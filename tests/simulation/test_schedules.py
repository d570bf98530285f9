"""Schedules of the real code under every fault. `python -m tests.simulation --seed N` shows one."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import count, islice
from pathlib import Path
from typing import Final

import pytest

from tests.simulation import schedule, tally
from tests.simulation.faults import Fault
from tests.simulation.play import play
from tests.simulation.server import Server
from tests.simulation.tally import Tally

CHUNK: Final = 25
QUICK: Final = 25
"""Schedules of the default run."""
THOROUGH: Final = 1000
LONG: Final = 20_000


def assert_kept(found: Tally) -> None:
    assert not found.violations, "\n".join(found.lines())


@pytest.mark.parametrize(
    "start",
    [
        *range(0, QUICK, CHUNK),
        *(pytest.param(start, marks=pytest.mark.thorough) for start in range(QUICK, THOROUGH, CHUNK)),
    ],
)
def test_no_promise_is_broken(start: int) -> None:
    assert_kept(tally.run(range(start, start + CHUNK)))


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("start", range(THOROUGH, LONG, 500))
def test_no_promise_is_broken_in_many_more_schedules(start: int) -> None:
    assert_kept(tally.run(range(start, start + 500)))


@pytest.mark.thorough
def test_few_schedules_meet_every_fault() -> None:
    """Otherwise the rest would prove less than it seems to."""
    wanted = {
        *Fault,
        "a person cancels",
        "a record is deleted behind our back",
        "the wall clock jumps",
        "list lag by reads",
        "list lag by time",
        "the disk is full",
        "a job made by hand",
    }
    drawn = ((seed, schedule.of(seed)) for seed in count())
    hostile = (seed for seed, it in drawn if it.faults == 0.5 and it.people and not it.bounds)
    found = Tally()
    for _ in range(8):
        found.merge(tally.run(islice(hostile, 25)))
        if wanted <= found.faults.keys() and found.counts["killed"]:
            break
    assert_kept(found)
    assert not wanted - found.faults.keys()
    assert found.counts["killed"]
    assert found.counts["shared"]
    assert found.counts["partial"]


def test_a_seed_replays_to_the_same_story() -> None:
    """In another process, too, where Python hashes otherwise: no set's order plays a part."""
    here = "\n".join(tally.reported(7)[1])
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7"]
    environ = {**os.environ, "PYTHONHASHSEED": "1"}
    root = Path(__file__).parents[2]
    there = subprocess.run(
        command, cwd=root, env=environ, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert there.stdout.splitlines() == here.splitlines()


def test_a_trace_changes_nothing() -> None:
    seed, server = 11, Server()
    plain = play(schedule.of(seed), server)
    traced = play(schedule.of(seed), server, tracing=True)
    assert plain.counts == traced.counts
    assert plain.faults == traced.faults
    assert len(traced.lines) > len(plain.lines) == 0

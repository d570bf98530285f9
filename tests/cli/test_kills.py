"""An apply that is killed at any of its requests, and run again: every job once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.thorough import thorough

from .processes import ANY, PATIENCE, POSIX, Gate, Shop, gated

JOBS = 20
CREATE = 26
SAMPLE = (1, 5, CREATE, 43)
"""Requests at which the suite kills: a list, an upload, a create, a list afterwards."""

pytestmark = POSIX


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many requests the whole apply sends."""
    folder = tmp_path_factory.mktemp("whole")
    with gated(folder) as (gate, url):
        shop = shop_of(folder / "shop", url, in_flight=1)
        assert shop.run("apply", "--yes").code == 0
        return gate.count()


def shop_of(root: Path, url: str, *, in_flight: int) -> Shop:
    shop = Shop(root, url)
    shop.settle(0, in_flight=in_flight)
    shop.specs(JOBS)
    return shop


def kill_at(gate: Gate, shop: Shop, number: int, *, arrives: bool) -> None:
    """Kill an apply while a request is on its way; then let the request arrive, or lose it."""
    gate.close(ANY, after=number - 1)
    process = shop.start("apply", "--yes")
    gate.wait_for(ANY, number)
    process.kill()
    process.communicate(timeout=PATIENCE)
    if not arrives:
        gate.lose(ANY)
    gate.open()
    assert gate.count() >= number  # the settle time is 0: wait until all requests on their way have arrived


def assert_every_job_once(shop: Shop) -> None:
    names = sorted(f"job-{number}" for number in range(JOBS))
    assert shop.run("apply", "--yes").code == 0
    assert sorted(job["name"] for job in shop.jobs()) == names
    assert shop.live() == names
    assert shop.run("apply", "--yes").out.startswith("No changes.")


@pytest.mark.parametrize("number", [number if number == CREATE else thorough(number) for number in SAMPLE])
def test_apply_killed_at_a_request_is_completed_by_the_next(tmp_path: Path, number: int) -> None:
    with gated(tmp_path) as (gate, url):
        shop = shop_of(tmp_path / "shop", url, in_flight=1)
        kill_at(gate, shop, number, arrives=number % 2 == 0)
        assert_every_job_once(shop)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("arrives", [True, False])
def test_apply_killed_at_every_request_is_completed_by_the_next(
    tmp_path: Path, requests: int, arrives: bool
) -> None:
    for number in range(1, requests + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        with gated(folder) as (gate, url):
            shop = shop_of(folder / "shop", url, in_flight=1)
            kill_at(gate, shop, number, arrives=arrives)
            assert_every_job_once(shop)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(20))
def test_apply_killed_again_and_again_at_random_is_completed_by_the_last(
    tmp_path: Path, requests: int, seed: int
) -> None:
    dice = random.Random(seed)
    with gated(tmp_path) as (gate, url):
        shop = shop_of(tmp_path / "shop", url, in_flight=4)
        for number in kills(dice, requests):
            kill_at(gate, shop, gate.count() + number, arrives=dice.random() < 0.5)
        assert_every_job_once(shop)


def kills(dice: random.Random, requests: int) -> Iterator[int]:
    """Yield after how many requests of its own each run is killed; the later ones have less to do."""
    left = requests
    while left > 4:
        number = dice.randrange(1, left)
        yield number
        left -= number

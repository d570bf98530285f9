"""The baton: one thread at a time, an order that the seed determines, and virtual time."""

from __future__ import annotations

import contextvars
import random

import pytest

from tests.simulation.baton import Baton

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("WHO", default="nobody")


def story(seed: int) -> list[tuple[float, str]]:
    baton, reported = Baton(random.Random(seed)), list[tuple[float, str]]()

    def work(name: str) -> None:
        for _ in range(3):
            reported.append((baton.now, name))
            baton.pause()
        baton.sleep(5.0)
        reported.append((baton.now, name))

    baton.side_by_side(work, ["a", "b", "c"], at_once=3)
    return reported


def test_the_same_dice_make_the_same_story() -> None:
    assert story(1) == story(1)
    assert len({tuple(story(seed)) for seed in range(20)}) > 10


def test_time_passes_only_when_everybody_sleeps() -> None:
    reported = story(3)
    assert [at for at, _ in reported] == [0.0] * 9 + [5.0] * 3


def test_what_is_due_earlier_happens_earlier() -> None:
    baton, happened = Baton(random.Random(0)), list[tuple[float, str]]()
    baton.at(3.0, lambda: happened.append((baton.now, "late")))
    baton.at(1.0, lambda: happened.append((baton.now, "early")))
    baton.sleep(2.0)
    assert happened == [(1.0, "early")]
    baton.sleep(2.0)
    assert happened == [(1.0, "early"), (3.0, "late")]


def test_results_come_in_the_order_of_the_items() -> None:
    baton = Baton(random.Random(0))

    def slow(number: int) -> int:
        baton.sleep(10.0 - number)
        return number * number

    assert baton.side_by_side(slow, range(8), at_once=3) == [number * number for number in range(8)]


def test_no_more_threads_than_asked_for_work_at_once() -> None:
    baton, busy, most = Baton(random.Random(0)), 0, 0

    def work(_: int) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        baton.sleep(1.0)
        busy -= 1

    baton.side_by_side(work, range(10), at_once=4)
    assert most == 4


def test_the_first_error_is_raised_once_all_have_ended() -> None:
    baton, ended = Baton(random.Random(0)), list[int]()

    def work(number: int) -> None:
        baton.sleep(float(number))
        ended.append(number)
        if number % 2:
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        baton.side_by_side(work, range(4), at_once=4)
    assert ended == [0, 1, 2, 3]


def test_threads_see_the_context_of_the_thread_that_started_them() -> None:
    baton = Baton(random.Random(0))
    token = WHO.set("somebody")
    try:
        assert baton.side_by_side(lambda _: WHO.get(), range(3), at_once=3) == ["somebody"] * 3
    finally:
        WHO.reset(token)

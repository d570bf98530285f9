from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from reconciler.api.errors import RateLimitedError
from reconciler.api.retry import MIN_INTERVAL_SECONDS, RECOVERY, Retrier, RetryPolicy, Throttle
from tests.simulation.baton import Baton


@dataclass
class Bucket:
    """A server with a limit of requests per second, in virtual time. Each request takes 50 ms."""

    baton: Baton
    rate: float
    refused: int = 0
    answered: int = 0
    _tokens: float = 0.0
    _filled: float = 0.0

    def __call__(self, _attempt: int) -> None:
        self.baton.sleep(0.05)
        self._tokens = min(self.rate, self._tokens + (self.baton.now - self._filled) * self.rate)
        self._filled = self.baton.now
        if self._tokens < 1:
            self.refused += 1
            raise RateLimitedError("429: slow down", status=429, transient=True, retry_after=1.0)
        self._tokens -= 1
        self.answered += 1


def retrier(baton: Baton) -> Retrier:
    return Retrier(
        RetryPolicy(),
        rng=random.Random(1),
        now=lambda: baton.now,
        monotonic=lambda: baton.now,
        sleep=baton.sleep,
    )


@pytest.mark.parametrize("rate", [1, 10, 100])
@pytest.mark.parametrize("at_once", [1, 4, 16, 64])
def test_any_number_of_threads_gets_through_any_limit(rate: int, at_once: int) -> None:
    """In about the time that the limit needs, and with few refusals: some at first, then one per pause."""
    baton = Baton(random.Random(7))
    server, shared = Bucket(baton, rate), retrier(baton)
    reads = 20 * rate
    baton.side_by_side(lambda _: shared.call(server), range(reads), at_once=at_once)
    assert server.answered == reads
    assert baton.now < 1.6 * max(reads / rate, reads * 0.05 / at_once)
    assert server.refused <= 2 * at_once + baton.now


def test_all_threads_pause_until_the_time_that_one_answer_gives() -> None:
    baton = Baton(random.Random(7))
    shared = retrier(baton)
    times: list[float] = []

    def once(_attempt: int) -> None:
        times.append(baton.now)
        if len(times) == 1:
            raise RateLimitedError("429", status=429, transient=True, retry_after=30.0)
        baton.sleep(1.0)

    def later(number: int) -> None:
        baton.sleep(number * 2.0)
        shared.call(once)

    baton.side_by_side(later, range(8), at_once=8)
    assert [time for time in times if 0 < time < 30] == []
    assert len(times) == 9


@dataclass
class Reads:
    """Reads of two seconds through one throttle."""

    baton: Baton
    throttle: Throttle
    _at_once: int = 0
    _most: int = 0

    def wave(self, reads: int = 16, *, threads: int = 16) -> int:
        """Send reads in threads; return how many were in flight together."""
        self._most = 0
        self.baton.side_by_side(lambda _: self._one(), range(reads), at_once=threads)
        return self._most

    def _one(self) -> None:
        with self.throttle.read():
            self._at_once += 1
            self._most = max(self._most, self._at_once)
            self.baton.sleep(2.0)
            self._at_once -= 1
        self.throttle.succeeded()

    def refuse(self, threads: int) -> None:
        """End that many reads at the same time with a 429."""

        def one(_: int) -> None:
            with self.throttle.read():
                self.baton.sleep(2.0)
            self.throttle.slow_down(1.0)

        self.baton.side_by_side(one, range(threads), at_once=threads)


@pytest.fixture
def reads() -> Reads:
    baton = Baton(random.Random(7))
    return Reads(baton, Throttle(monotonic=lambda: baton.now, sleep=baton.sleep))


def test_reads_in_flight_are_halved_once_for_a_wave_of_refusals_and_recover_slowly(reads: Reads) -> None:
    assert reads.wave() == 16
    reads.refuse(16)
    for expected in (8, 4, 2, 1, 1):
        assert reads.wave() == expected
        reads.refuse(expected)
    assert reads.wave() == 1, "never below 1"
    reads.wave(2 * RECOVERY, threads=3)
    assert reads.wave() in (2, 3)


def test_a_write_waits_for_the_pause_and_for_the_interval_between_requests(reads: Reads) -> None:
    """At one request a second, a write that follows a read at once would be refused each time."""
    baton, throttle = reads.baton, reads.throttle
    throttle.before_write()
    assert baton.now == 0.0
    throttle.slow_down(3.0)
    times: list[float] = []
    for _ in range(3):
        throttle.before_write()
        times.append(round(baton.now, 3))
        with throttle.read():
            times.append(round(baton.now, 3))
    assert times == pytest.approx([round(3.0 + MIN_INTERVAL_SECONDS * number, 3) for number in range(6)])


def test_a_run_that_was_asked_to_stop_waits_for_nothing() -> None:
    """Its sleep returns at once; a thread must not spin until another one's request ends."""
    slept: list[float] = []
    throttle = Throttle(monotonic=lambda: 0.0, sleep=slept.append)
    throttle.slow_down(600.0)
    with throttle.read(), throttle.read():
        throttle.before_write()
    assert slept == [600.0, 600.0, 600.0]

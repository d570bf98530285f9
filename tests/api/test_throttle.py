from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from reconciler.api.errors import OutcomeUnknownError, RateLimitedError
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.throttle import RECOVERY, Throttle
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
    assert baton.now < 1.5 * max(reads / rate, reads * 0.05 / at_once)
    assert server.refused <= 2 * at_once + baton.now


def test_all_threads_pause_until_the_time_that_one_of_them_was_told() -> None:
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
    """Reads through a throttle that all end at once, so many of which were in flight together."""

    baton: Baton
    throttle: Throttle
    most: int = 0
    _at_once: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def wave(self, threads: int, error: Exception | None = None) -> int:
        """Send a read in each thread; return how many were in flight together."""
        self.most = 0
        self.baton.side_by_side(lambda _: self._one(error), range(threads), at_once=threads)
        return self.most

    def _one(self, error: Exception | None) -> None:
        try:
            with self.throttle.read():
                self._at_once += 1
                self.most = max(self.most, self._at_once)
                self.baton.sleep(0.1)
                self._at_once -= 1
                if error:
                    raise error
        except type(error or ZeroDivisionError()):
            pass


def test_reads_in_flight_are_halved_once_for_a_wave_of_refusals_and_recover_slowly() -> None:
    baton = Baton(random.Random(7))
    reads = Reads(baton, Throttle(monotonic=lambda: baton.now, sleep=baton.sleep))
    busy = RateLimitedError("429", status=429, transient=True)
    assert reads.wave(16) == 16
    assert reads.wave(16, busy) == 16
    assert reads.wave(16) == 8
    for expected in (8, 4, 2, 1, 1):
        assert reads.wave(expected, busy) == expected
    assert reads.wave(16) == 1, "never below 1"
    assert reads.wave(RECOVERY) in (1, 2)
    assert reads.wave(2 * RECOVERY) in (3, 4)


def test_other_failures_do_not_reduce_the_reads_in_flight() -> None:
    baton = Baton(random.Random(7))
    reads = Reads(baton, Throttle(monotonic=lambda: baton.now, sleep=baton.sleep))
    reads.wave(16, OutcomeUnknownError("503", status=503, transient=True))
    assert reads.wave(16) == 16
    reads.wave(16, OutcomeUnknownError("503", status=503, transient=True, retry_after=1.0))
    assert reads.wave(16) == 8


def test_a_run_that_was_asked_to_stop_waits_for_nothing() -> None:
    """Its sleep returns at once; a thread must not spin until another one's request ends."""
    baton = Baton(random.Random(7))
    slept: list[float] = []
    throttle = Throttle(monotonic=lambda: baton.now, sleep=slept.append)
    throttle.pause(600.0)
    with pytest.raises(RateLimitedError), throttle.read():
        raise RateLimitedError("429", status=429, transient=True)
    with throttle.read(), throttle.read():
        pass
    assert slept == [600.0, 600.0, 600.0]

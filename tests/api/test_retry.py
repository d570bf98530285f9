from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.errors import (
    ApiError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    UnreachableError,
)
from reconciler.api.retry import Retrier, RetryPolicy, delay_seconds

from .stage import Clock, retrier


def busy() -> OutcomeUnknownError:
    return OutcomeUnknownError("503: busy", status=503, transient=True)


class Fails:
    """Fails with these errors in turn, then returns "done"."""

    def __init__(self, *errors: ApiError) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []

    def __call__(self, attempt: int) -> str:
        self.attempts.append(attempt)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_what_goes_well_is_asked_once() -> None:
    clock, once = Clock(), Fails()
    assert retrier(clock=clock).call(once) == "done"
    assert (once.attempts, clock.slept) == ([1], [])


def test_transient_failures_are_asked_again_after_growing_waits() -> None:
    clock, once = Clock(), Fails(busy(), busy(), busy())
    policy = RetryPolicy(base_seconds=1.0)
    assert Retrier(policy, rng=Always(0.5), monotonic=clock.monotonic, sleep=clock.sleep).call(once) == "done"
    assert (once.attempts, clock.slept) == ([1, 2, 3, 4], [0.5, 1.0, 2.0])


def test_a_final_refusal_is_not_asked_again() -> None:
    once = Fails(NotFoundError("404: no such job", status=404))
    with pytest.raises(NotFoundError):
        retrier().call(once)
    assert once.attempts == [1]


def test_the_last_failure_says_how_often_it_was_tried() -> None:
    once = Fails(*[busy() for _ in range(9)])
    with pytest.raises(OutcomeUnknownError, match=r"^503: busy \(5 attempts\)$") as caught:
        retrier().call(once)
    assert caught.value.attempts == 5


def test_what_the_api_asks_for_is_waited_up_to_the_cap() -> None:
    clock = Clock()
    policy = RetryPolicy(base_seconds=0.0)
    limited = [
        RateLimitedError("429", status=429, transient=True, retry_after=wait) for wait in (7.0, 3600.0, 0.0)
    ]
    assert retrier(policy, clock).call(Fails(*limited)) == "done"
    assert clock.slept == [7.0, 60.0, 0.0]


def test_an_outage_uses_the_retries_of_the_run_up() -> None:
    shared = retrier(RetryPolicy(quota=25, cost=5))
    attempts = []
    for _ in range(10):
        once = Fails(*[busy() for _ in range(9)])
        with pytest.raises(OutcomeUnknownError):
            shared.call(once)
        attempts.append(len(once.attempts))
    assert attempts == [5, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    with pytest.raises(OutcomeUnknownError, match=r"^503: busy \(the run's retries are used up\)$"):
        shared.call(Fails(busy()))


def test_scattered_failures_cost_nothing_in_the_end() -> None:
    shared = retrier(RetryPolicy(quota=10, cost=5))
    for _ in range(100):
        assert shared.call(Fails(busy(), busy())) == "done"


def test_a_retry_after_lost_time_costs_more() -> None:
    shared = retrier(RetryPolicy(quota=10))
    slow = OutcomeUnknownError("no answer in time", transient=True, timed_out=True)
    assert shared.wait(busy(), attempt=1) == 5
    with pytest.raises(OutcomeUnknownError, match="used up"):
        shared.wait(slow, attempt=1)


def test_no_wait_ends_after_the_deadline_of_the_run() -> None:
    clock = Clock()
    shared = retrier(RetryPolicy(deadline_seconds=100, base_seconds=0), clock)
    limited = RateLimitedError("429: slow down", status=429, transient=True, retry_after=30.0)
    clock.now += 60
    assert shared.wait(limited, attempt=1)
    with pytest.raises(RateLimitedError, match=r"slow down \(the run's time for retries is over\)"):
        shared.wait(limited, attempt=1)


def test_a_run_without_a_deadline_goes_on() -> None:
    clock = Clock()
    shared = retrier(RetryPolicy(deadline_seconds=None), clock)
    clock.now += 10**6
    assert shared.call(Fails(busy())) == "done"


def test_a_certainly_unsent_create_can_use_the_same_patience() -> None:
    clock = Clock()
    shared = retrier(clock=clock)
    assert shared.wait(UnreachableError("connection refused", transient=True), attempt=1) == 5
    assert len(clock.slept) == 1
    with pytest.raises(UnreachableError):
        shared.wait(UnreachableError("not trusted"), attempt=1)


def test_many_threads_share_one_quota() -> None:
    shared = retrier(RetryPolicy(quota=40, cost=5, base_seconds=0))
    sent: list[int] = []

    def work() -> None:
        for _ in range(5):
            once = Fails(*[busy() for _ in range(9)])
            with pytest.raises(OutcomeUnknownError):
                shared.call(once)
            sent.append(len(once.attempts))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 40 + 8, "one attempt each, and a retry for every five tokens"


class Always(random.Random):
    """Chance that is no chance."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self._value = value

    def random(self) -> float:
        return self._value


@given(
    attempt=st.integers(1, 10_000),
    asked=st.none() | st.floats(0, 1e12),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_every_wait_is_within_its_bounds(attempt: int, asked: float | None, chance: float) -> None:
    policy = RetryPolicy()
    delay = delay_seconds(policy, attempt=attempt, retry_after=asked, chance=chance)
    if asked is None:
        assert 0 <= delay <= min(policy.cap_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 64))
    else:
        least = min(asked, policy.retry_after_cap_seconds)
        assert least <= delay <= least + policy.base_seconds

from __future__ import annotations

import random

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
from reconciler.api.retry import MAX_INTERVAL_SECONDS, MIN_PAUSE_SECONDS, Retrier, RetryPolicy, delay_seconds

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
    certain = Retrier(
        policy, rng=Always(0.5), now=clock.monotonic, monotonic=clock.monotonic, sleep=clock.sleep
    )
    assert certain.call(once) == "done"
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


def limited(retry_after: float | None = None) -> RateLimitedError:
    return RateLimitedError("429: slow down", status=429, transient=True, retry_after=retry_after)


def test_what_the_api_asks_for_is_waited() -> None:
    clock = Clock()
    once = Fails(*map(limited, (7.0, 300.0, 0.0)))
    assert retrier(RetryPolicy(base_seconds=0.0), clock).call(once) == "done"
    assert clock.slept == [7.0, 300.0, 0.0, MIN_PAUSE_SECONDS]


@pytest.mark.parametrize(
    "error",
    [
        limited(),
        limited(2.0),
        OutcomeUnknownError("503: busy", status=503, transient=True, retry_after=2.0),
    ],
    ids=["429", "429 with a time", "503 with a time"],
)
def test_an_api_that_asks_for_fewer_requests_is_asked_until_the_deadline(error: ApiError) -> None:
    clock, once = Clock(), Fails(*[error] * 5000)
    with pytest.raises(type(error), match="attempts") as caught:
        retrier(RetryPolicy(), clock).call(once)
    assert len(once.attempts) > RetryPolicy().max_attempts * 4
    assert 850 < clock.now - 1000 < 900 + MAX_INTERVAL_SECONDS
    assert "`limits.deadline_seconds`" in caught.value.hint


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_beyond_the_deadline_is_not_begun_and_is_named(status: int) -> None:
    clock = Clock()
    error = OutcomeUnknownError(f"{status}: busy", status=status, transient=True, retry_after=3600.0)
    with pytest.raises(ApiError) as caught:
        retrier(clock=clock).call(Fails(error))
    assert clock.slept == []
    assert str(caught.value) == (
        f"{status}: busy (the API asks to wait until 2026-09-21T15:30:00Z (3,600 s), and this run may not take so long)"
    )
    assert caught.value.hint == "run the same command again after 2026-09-21T15:30:00Z"


def test_the_setting_for_parallel_requests_is_named_after_several_attempts() -> None:
    for method, setting in (("GET", "limits.reads_in_flight"), ("POST", "limits.in_flight")):
        error = limited(100.0)
        error.request = f"{method} /v1/batch/jobs"
        with pytest.raises(RateLimitedError) as caught:
            retrier().call(Fails(*[error] * 20))
        assert f"`{setting}`" in caught.value.hint
    with pytest.raises(RateLimitedError) as caught:
        retrier().call(Fails(limited(3600.0)))
    assert "limits" not in caught.value.hint


def test_each_request_of_a_long_lived_run_has_its_own_deadline() -> None:
    clock = Clock()
    shared = retrier(RetryPolicy(long_lived=True), clock)
    clock.now += 10**6
    assert shared.call(Fails(limited(800.0))) == "done"
    with pytest.raises(RateLimitedError):
        shared.call(Fails(limited(1000.0)))


def test_an_outage_ends_at_the_deadline_of_the_run() -> None:
    clock = Clock()
    shared, sent = retrier(RetryPolicy(deadline_seconds=100), clock), 0
    for _ in range(1000):
        once = Fails(*[busy() for _ in range(9)])
        with pytest.raises(OutcomeUnknownError):
            shared.call(once)
        sent += len(once.attempts)
    assert clock.now - 1000 < 100
    assert 1000 < sent < 2000


def test_no_wait_ends_after_the_deadline_of_the_run() -> None:
    clock = Clock()
    shared = retrier(RetryPolicy(deadline_seconds=100, base_seconds=0), clock)
    clock.now += 60
    assert shared.call(Fails(limited(30.0))) == "done"
    with pytest.raises(RateLimitedError, match=r"\(the API asks to wait until .* \(30 s\)"):
        shared.call(Fails(limited(30.0)))
    clock.now += 30
    with pytest.raises(OutcomeUnknownError, match=r"^503: busy \(the run's time for retries is over\)$"):
        shared.call(Fails(busy()))


def test_a_certainly_unsent_create_can_use_the_same_patience() -> None:
    clock = Clock()
    shared = retrier(clock=clock)
    shared.wait(UnreachableError("connection refused", transient=True), attempt=1, began=0.0)
    assert len(clock.slept) == 1
    with pytest.raises(UnreachableError):
        shared.wait(UnreachableError("not trusted"), attempt=1, began=0.0)


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
        least = max(asked, policy.base_seconds)
        assert least <= delay <= least + policy.base_seconds

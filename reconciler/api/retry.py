"""Decide whether to retry a request, and how long to wait first.

The client repeats reads by itself. The callers that send creates and cancels only ask how long to wait, and repeat a
request once they know that it is safe. A run has one `Retrier`, shared by its threads. Three limits make an outage end
in a report and not in an hour of retries:

- attempts of one request (`max_attempts`);
- a quota of the run: every retry takes tokens, and a request that succeeds in the end returns its own. Scattered
  faults cost nothing; an outage soon uses up the quota (as in the standard retry mode of the AWS SDKs);
- a deadline of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, NoReturn, TypeVar

from reconciler.api.errors import ApiError

if TYPE_CHECKING:
    from random import Random

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The limits of a run's retries."""

    max_attempts: int = 5
    """Attempts of one request, the first included. 1: no retry."""
    base_seconds: float = 0.5
    """Maximum of the first wait; it doubles with every attempt."""
    cap_seconds: float = 20.0
    """Maximum wait, unless the API asks for one."""
    retry_after_cap_seconds: float = 60.0
    """Maximum wait if the API asks for one (`Retry-After`)."""
    quota: int = 500
    """Tokens of a run."""
    cost: int = 5
    """Tokens that a retry takes."""
    cost_after_timeout: int = 10
    """Tokens that a retry takes after a timeout."""
    deadline_seconds: float | None = 900.0
    """No wait ends later than this after the run began; None for a long-lived run, such as waiting for jobs."""


def delay_seconds(policy: RetryPolicy, *, attempt: int, retry_after: float | None, chance: float) -> float:
    """Return how long to wait after the failure of attempt number `attempt`, the first being 1.

    If the API asks for nothing: a random time up to the doubling limit ("full jitter"), so that many clients do not
    retry at once. If it asks for a wait: that, capped, and a little more for the same reason.

    Args:
        policy: the limits.
        attempt: 1 for the first.
        retry_after: seconds that the API asks for, None if it does not.
        chance: in [0, 1), from a random source.
    """
    if retry_after is not None:
        return min(retry_after, policy.retry_after_cap_seconds) + chance * policy.base_seconds
    doublings = min(attempt - 1, 64)  # beyond any cap, and 2.0 to the power of attempts would overflow
    return chance * min(policy.cap_seconds, policy.base_seconds * 2.0**doublings)


class Retrier:
    """Repeats requests that are safe to repeat. Shared by the threads of one run.

    Args:
        policy: the limits.
        rng: source of the jitter.
        monotonic: seconds on a clock that never goes back.
        sleep: waits that many seconds; may raise to end the run.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        rng: Random,
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self.policy = policy
        self.monotonic = monotonic
        self._rng = rng
        self._sleep = sleep
        self._lock = Lock()
        self._tokens = policy.quota
        self._began = monotonic()

    def call(self, once: Callable[[int], T]) -> T:
        """Return the result of `once(attempt)`, calling it again while its errors are transient.

        Raises:
            ApiError: the last failure, with the number of attempts and why there are no more.
        """
        attempt, spent = 1, 0
        while True:
            try:
                answer = once(attempt)
            except ApiError as error:
                spent += self.wait(error, attempt=attempt)
                attempt += 1
            else:
                self._give_back(spent)
                return answer

    def wait(self, error: ApiError, *, attempt: int) -> int:
        """Wait before another attempt and return the tokens it took; raise `error` if there is no further attempt.

        Args:
            error: the failure of the attempt.
            attempt: its number, the first being 1.

        Raises:
            ApiError: `error` itself.
        """
        error.attempts = attempt
        if not error.transient or attempt >= self.policy.max_attempts:
            raise error
        seconds = self._delay(error, attempt)
        limit = self.policy.deadline_seconds
        if limit is not None and self.monotonic() + seconds > self._began + limit:
            _give_up(error, "the run's time for retries is over")
        cost = self.policy.cost_after_timeout if error.timed_out else self.policy.cost
        with self._lock:
            if cost > self._tokens:
                _give_up(error, "the run's retries are used up")
            self._tokens -= cost
        self._sleep(seconds)
        return cost

    def _delay(self, error: ApiError, attempt: int) -> float:
        with self._lock:
            chance = self._rng.random()
        return delay_seconds(self.policy, attempt=attempt, retry_after=error.retry_after, chance=chance)

    def _give_back(self, spent: int) -> None:
        with self._lock:
            self._tokens = min(self.policy.quota, self._tokens + (spent or 1))


def _give_up(error: ApiError, why: str) -> NoReturn:
    error.gave_up = why
    raise error

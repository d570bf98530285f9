"""When asking again is worth it, and how long to wait first.

For reads and cancels alone: they may be repeated without harm. One `Retrier` is made a run and shared by every
thread of it. Three things bound it, so that an outage ends in a report and not in an hour of retries:

- attempts of one request (`max_attempts`);
- a quota of the run: every retry takes tokens, a request that goes well in the end gives its own back, so scattered
  faults cost nothing and an outage soon costs everything (the idea is that of the AWS SDKs' standard retry mode);
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
    """How patient a run is."""

    max_attempts: int = 5
    """Of one request, the first among them. 1: never again."""
    base_seconds: float = 0.5
    """The longest first wait; it doubles with every attempt."""
    cap_seconds: float = 20.0
    """The longest wait of our own choosing."""
    retry_after_cap_seconds: float = 60.0
    """The longest wait that the API may ask for."""
    quota: int = 500
    """Tokens of a run."""
    cost: int = 5
    """Tokens that a retry takes."""
    cost_after_timeout: int = 10
    """Tokens that a retry takes where the failure had cost time as well."""
    deadline_seconds: float | None = 900.0
    """No wait ends later than this after the run began; None for a run that may last, such as waiting for jobs."""


def delay_seconds(policy: RetryPolicy, *, attempt: int, retry_after: float | None, chance: float) -> float:
    """Return how long to wait after the failure of attempt number `attempt`, the first being 1.

    Without a word from the API: anything up to the doubling limit ("full jitter"), so that many clients do not come
    back as one. With it: what it asks for, capped, and a little more for the same reason.

    Args:
        policy: the limits.
        attempt: 1 for the first.
        retry_after: seconds the API asks for, None where it does not.
        chance: in [0, 1), from a random source.
    """
    if retry_after is not None:
        return min(retry_after, policy.retry_after_cap_seconds) + chance * policy.base_seconds
    doublings = min(attempt - 1, 64)  # beyond any cap, and 2.0 to the power of attempts would overflow
    return chance * min(policy.cap_seconds, policy.base_seconds * 2.0**doublings)


class Retrier:
    """Repeats what may be repeated. Shared by the threads of one run.

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
        """Return what `once(attempt)` returns, asking again while its errors are transient.

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
        """Wait before another attempt and return the tokens it took; raise `error` where none is due.

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

"""Decide whether to retry a request, and how long to wait first.

The client repeats reads by itself. The callers that send creates and cancels only ask how long to wait, and repeat a
request once they know that it is safe. A run has one `Retrier`, shared by its threads. Two limits make an outage end
in a report and not in an hour of retries: the attempts of one request (`max_attempts`), and a deadline of the run.

If the API asks for fewer requests (429, or 503 with `Retry-After`), it works, and only the deadline limits the retries.
`Throttle`, which the threads share, makes all of them pause until the time that the API asks for. From then on fewer
reads are in flight, half as many but at least one, and requests begin at longer intervals. A series of reads without
such an answer takes back one step.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from reconciler.api.errors import ApiError
from reconciler.text.timestamps import rfc3339

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
    deadline_seconds: float = 900.0
    """No wait ends later than this after the run began."""
    long_lived: bool = False
    """Whether the deadline is counted from each request's first attempt, as in a run that waits for jobs."""


def delay_seconds(policy: RetryPolicy, *, attempt: int, retry_after: float | None, chance: float) -> float:
    """Return how long to wait after the failure of attempt number `attempt`, the first being 1.

    If the API asks for nothing: a random time up to the doubling limit ("full jitter"), so that many clients do not
    retry at once. If it asks for a wait: that, at least `base_seconds`, and a little more for the same reason. `chance`
    is in [0, 1), from a random source.
    """
    if retry_after is not None:
        return max(retry_after, policy.base_seconds) + chance * policy.base_seconds
    doublings = min(attempt - 1, 64)  # beyond any cap, and 2.0 to the power of attempts would overflow
    return chance * min(policy.cap_seconds, policy.base_seconds * 2.0**doublings)


@dataclass(eq=False)
class Retrier:
    """Repeats requests that are safe to repeat. Shared by the threads of one run."""

    policy: RetryPolicy
    _: KW_ONLY
    rng: Random
    """Source of the jitter."""
    now: Callable[[], float]
    """Wall clock, Unix seconds."""
    monotonic: Callable[[], float]
    """Seconds on a clock that never goes back."""
    sleep: Callable[[float], object]
    """Waits that many seconds; may raise to end the run."""
    on_pause: Callable[[float], object] | None = None
    """Called with the seconds of each pause of the whole run."""

    def __post_init__(self) -> None:
        self._throttle = Throttle(monotonic=self.monotonic, sleep=self.sleep)
        self._lock = Lock()
        self._began = self.monotonic()

    def call(self, once: Callable[[int], T]) -> T:
        """Return the result of `once(attempt)`, calling it again while its errors are transient.

        Raises the last `ApiError`, with the number of attempts and why there are no more.
        """
        attempt, began = 1, self.monotonic()
        while True:
            try:
                with self._throttle.read():
                    answer = once(attempt)
            except ApiError as error:
                self.wait(error, attempt=attempt, began=began)
                attempt += 1
            else:
                self._throttle.succeeded()
                return answer

    def restart(self) -> None:
        """Count the deadline from now, because a person was asked a question and took time to answer."""
        self._began = self.monotonic()

    def before_write(self) -> None:
        """Wait until a write may be sent: only if the API has asked for fewer requests."""
        self._throttle.before_write()

    def wait(self, error: ApiError, *, attempt: int, began: float) -> None:
        """Wait before another attempt; raise `error` if there is none.

        `began` is the time of the first attempt on the monotonic clock.
        """
        error.attempts = attempt
        if not error.transient or (attempt >= self.policy.max_attempts and not error.throttled):
            raise error
        with self._lock:
            chance = self.rng.random()
        seconds = delay_seconds(self.policy, attempt=attempt, retry_after=error.retry_after, chance=chance)
        since = began if self.policy.long_lived else self._began
        if self.monotonic() + seconds > since + self.policy.deadline_seconds:
            self._out_of_time(error)
        if error.throttled and self._throttle.slow_down(seconds) and self.on_pause:
            self.on_pause(seconds)
        self.sleep(seconds)

    def _out_of_time(self, error: ApiError) -> NoReturn:
        why = "the run's time for retries is over"
        if error.retry_after is not None:
            until = rfc3339(self.now() + error.retry_after)
            wait = f"the API asks to wait until {until} ({math.ceil(error.retry_after):,} s)"
            why = f"{wait}, and this run may not take so long"
            error.hint = f"run the same command again after {until}"
        if error.throttled and error.attempts > 1:
            setting = "reads_in_flight" if error.request.startswith("GET ") else "in_flight"
            error.hint += (
                f"; if that does not help, lower `limits.{setting}` or raise `limits.deadline_seconds`"
            )
        error.gave_up = why
        raise error


POLL_SECONDS: Final = 0.05
"""How often a thread looks whether it may send its read."""
RECOVERY: Final = 50
"""Reads in a row without a 429 after which one more may be in flight."""
CLOCK_ERROR_SECONDS: Final = 0.001
"""A sleep may end so much too early."""
MIN_PAUSE_SECONDS: Final = 0.5
MIN_INTERVAL_SECONDS: Final = 0.02
MAX_INTERVAL_SECONDS: Final = 5.0
LONGER: Final = 2.0
"""Factor of the interval for each pause."""
SHORTER: Final = 1.5
"""Divisor of the interval for each series of reads without a 429."""


@dataclass(eq=False, kw_only=True)
class Throttle:
    """Limits the requests of a run. Until the API asks for fewer, there is no limit."""

    monotonic: Callable[[], float]
    """Seconds on a clock that never goes back."""
    sleep: Callable[[float], object]
    """Waits that many seconds; returns early if the run was asked to stop."""

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._resume_at = self.monotonic()
        """When the pause ends."""
        self._next_at = self.monotonic()
        """When the next request may begin."""
        self._interval = 0.0
        """Seconds between the beginnings of two requests."""
        self._limit = sys.maxsize
        self._reads = 0
        self._good = 0
        """Reads in a row without a 429."""

    def slow_down(self, seconds: float) -> bool:
        """Let no request begin for so many seconds, and send fewer after that. Return whether this is a new pause.

        Requests that are refused during a pause began before it, so they do not reduce the limits once more.
        """
        with self._lock:
            now = self.monotonic()
            new = now >= self._resume_at
            if new:
                self._limit = max(1, min(self._limit, self._reads + 1) // 2)
                longer = max(self._interval * LONGER, MIN_INTERVAL_SECONDS)
                self._interval = min(longer, MAX_INTERVAL_SECONDS)
            self._good = 0
            self._resume_at = max(self._resume_at, now + max(seconds, MIN_PAUSE_SECONDS))
        return new

    def before_write(self) -> None:
        """Wait until a write may be sent."""
        self._enter(reads=0)

    @contextmanager
    def read(self) -> Generator[None]:
        """Wait until a read may be sent, and count it while the block runs."""
        self._enter(reads=1)
        try:
            yield
        finally:
            with self._lock:
                self._reads -= 1

    def succeeded(self) -> None:
        """Count a read that was answered; a series of them takes back one step of `slow_down`."""
        with self._lock:
            self._good += 1
            if self._good == RECOVERY:
                self._good = 0
                self._limit += 1
                shorter = self._interval / SHORTER
                self._interval = shorter if shorter >= MIN_INTERVAL_SECONDS else 0.0

    def _enter(self, *, reads: int) -> None:
        """Wait until a request may begin, and add so many reads to those in flight."""
        stopped = False
        while True:
            with self._lock:
                now = self.monotonic()
                left = max(self._resume_at, self._next_at) - now
                if stopped or (left < CLOCK_ERROR_SECONDS and (not reads or self._reads < self._limit)):
                    self._reads += reads
                    self._next_at = now + self._interval
                    return
            seconds = left if left >= CLOCK_ERROR_SECONDS else POLL_SECONDS
            self.sleep(seconds)
            stopped = self.monotonic() - now < seconds / 2  # it did not sleep

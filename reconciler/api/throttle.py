"""When the next request may be sent, and how many reads are in flight, once the API has asked for fewer requests.

The threads of a run share one `Throttle`. After a 429, or a 503 with `Retry-After`, all of them pause until the time
that the API asks for. From then on fewer reads are in flight, half as many but at least one, and requests begin at
longer intervals. A series of reads without such an answer takes back one step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final

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

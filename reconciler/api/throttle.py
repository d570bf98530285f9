"""How many reads are in flight, and when the next one may be sent, once the API has asked for fewer requests.

The threads of a run share one `Throttle`. After a 429, or a 503 with `Retry-After`, all reads pause until the time that
the API asks for. Then half as many as before are in flight, but at least one, and a series of reads without such an
answer allows one more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from reconciler.api.errors import ApiError

POLL_SECONDS: Final = 0.05
"""How often a thread looks whether it may send its read."""
RECOVERY: Final = 50
"""Reads in a row without a 429 after which one more may be in flight."""


class Throttle:
    """Limits the reads in flight. Until the API asks for fewer requests, there is no limit.

    Args:
        monotonic: seconds on a clock that never goes back.
        sleep: waits that many seconds; returns early if the run was asked to stop.
    """

    def __init__(self, *, monotonic: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._resume_at = monotonic()
        self._limit = sys.maxsize
        self._in_flight = 0
        self._good = 0
        """Reads in a row without a 429."""
        self._reductions = 0

    def pause(self, seconds: float) -> None:
        """Let no read begin for so many seconds."""
        with self._lock:
            self._resume_at = max(self._resume_at, self._monotonic() + seconds)

    @contextmanager
    def read(self) -> Generator[None]:
        """Wait until a read may be sent, and count it while the block runs."""
        reductions = self._enter()
        throttled = False
        try:
            yield
        except ApiError as error:
            throttled = error.throttled
            raise
        finally:
            self._leave(reductions, throttled=throttled)

    def _enter(self) -> int:
        """Return how often the limit had been halved when the read began."""
        stopped = False
        while True:
            with self._lock:
                pause = self._resume_at - self._monotonic()
                if stopped or (pause <= 0 and self._in_flight < self._limit):
                    self._in_flight += 1
                    return self._reductions
            seconds, began = max(pause, POLL_SECONDS), self._monotonic()
            self._sleep(seconds)
            stopped = self._monotonic() - began < seconds / 2  # it did not sleep

    def _leave(self, reductions: int, *, throttled: bool) -> None:
        with self._lock:
            self._good = 0 if throttled else self._good + 1
            if (
                throttled and reductions == self._reductions
            ):  # else the limit was halved after this read began
                self._limit = max(1, min(self._limit, self._in_flight) // 2)
                self._reductions += 1
            elif self._good == RECOVERY:
                self._limit += 1
                self._good = 0
            self._in_flight -= 1

"""One clock for a whole exchange with the API: connection, request, every 1xx answer, headers and body.

The timeouts of httpx are for each read and each write, so a server that sends a byte now and then would hold a
request without end. `network` makes every read and write of a socket end by the deadline of the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from reconciler.api.errors import OutcomeUnknownError

SLOWEST_BYTES_PER_SECOND: Final = 32 * 1024
"""A transfer of a file that is slower ends like one that stopped."""

_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class Deadline:
    """The end of one exchange, which may take so many seconds on a clock that never goes back."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._until = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, 0 after the end."""
        return max(0.0, self._until - self._monotonic())

    def received(self, size: int) -> None:
        """Move the end for a piece of a file of `size` bytes, to at most the whole time from now."""
        self._until = min(self._until + size / SLOWEST_BYTES_PER_SECOND, self._monotonic() + self._seconds)

    def check(self) -> None:
        """Raise `OutcomeUnknownError` after the end."""
        if not self.left():
            raise OutcomeUnknownError(f"the answer was incomplete after {self._seconds:g} s", transient=True)


@contextmanager
def running(seconds: float, monotonic: Callable[[], float]) -> Generator[Deadline]:
    """Give the code inside, and the sockets it uses, a deadline."""
    outer, deadline = _current.get(), Deadline(seconds, monotonic)
    _current.set(deadline)
    try:
        yield deadline
    finally:
        _current.set(outer)


def within(timeout: float | None) -> float | None:
    """Return the seconds that one read or write may take: the lesser of `timeout` and what is left of the deadline."""
    deadline = _current.get()
    both = (timeout, deadline.left() if deadline else None)
    return min((seconds for seconds in both if seconds is not None), default=None)

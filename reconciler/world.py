"""Everything that is not pure, as one value: made in `cli`, passed down, replaced in tests and simulations."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from reconciler.ledger.lines import Line
from reconciler.progress import UNWATCHED, Progress

_T = TypeVar("_T")
_R = TypeVar("_R")


class Log(Protocol):
    """Tells one event; `events.EVENTS` lists them all."""

    def __call__(self, event: str, /, **facts: object) -> None:
        """Tell that `event` happened."""


class Spread(Protocol):
    """Runs the same thing over many items, several at once."""

    def __call__(self, do: Callable[[_T], _R], items: Sequence[_T], *, at_once: int) -> list[_R]:
        """Return what `do` returns for each item, in the items' order."""


class Ledger(Protocol):
    """Where intents and outcomes are recorded."""

    def read(self) -> tuple[Line, ...]:
        """Return every line that is known now, other runners' among them where they share it.

        Raises:
            LedgerError: it cannot be read.
        """

    def claim(self, lines: Sequence[Line]) -> bool:
        """Record intents where other runners see them, before their turn has come.

        Returns:
            False where another runner wrote since `read`: read and plan again.

        Raises:
            LedgerError: they could not be recorded.
        """

    def publish(self) -> None:
        """Let other runners see what was appended.

        Raises:
            LedgerError: they cannot be told.
        """

    def append(self, *lines: Line) -> None:
        """Record lines durably.

        Raises:
            LedgerError: they could not be made durable.
        """


class Stop(Protocol):
    """Whether the run was asked to stop: nothing new is begun from then on."""

    def is_set(self) -> bool:
        """Return True once it was."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Clock, sleep, randomness, threads, log, ledger and the wish to stop."""

    now: Callable[[], float]
    """Wall clock, Unix seconds, for records."""
    monotonic: Callable[[], float]
    """Seconds from an arbitrary start, for waits."""
    sleep: Callable[[float], object]
    """May return early once `stop` is set."""
    random: random.Random
    spread: Spread
    log: Log
    ledger: Ledger
    stop: Stop
    progress: Progress = UNWATCHED
    """Is told how far long work has come."""
    run_id: str
    """Names this run in every event and ledger line."""

    def new_op(self) -> str:
        """Return a name for one create that no other run will choose."""
        return f"{self.random.getrandbits(96):024x}"

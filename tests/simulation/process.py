"""One process of the tool: its steps, its clocks, and the moment at which it is killed.

Every port of the code under test goes through this class. At a step, other threads may run and the process may be
killed; from then on every port raises, so that no `finally` and no `except` writes anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from reconciler.environment import Environment, Ledger
from tests.helpers.event_check import check_event
from tests.simulation.baton import Baton

T = TypeVar("T")
R = TypeVar("R")

START: Final = 1_790_000_000.0
"""What the server's wall clock shows at virtual time 0."""


class Killed(BaseException):
    """SIGKILL: not to be caught by anything but the harness."""


@dataclass(eq=False)
class Process:
    """A process of the tool.

    Args:
        baton: time, and who goes on.
        name: for the trace.
        dice: its randomness.
        wall: how far its wall clock is from the server's, now.
        killed_at: the number of the step at which it dies; None to let it live.
        stopped_at: the number of the step at which it is asked to stop.
        dies_creating: whether it is killed while its first create is on its way.
        dies_cancelling: whether it is killed before its first cancel leaves.
    """

    baton: Baton
    name: str
    dice: random.Random
    wall: Callable[[], float]
    trace: Callable[[str, str], None]
    killed_at: int | None = None
    stopped_at: int | None = None
    dies_creating: bool = False
    dies_cancelling: bool = False
    steps: int = 0
    dead: bool = False
    events_received: list[Callable[[str], None]] = field(default_factory=list)
    """Who wants to know of its events."""

    def step(self, what: str) -> None:
        """Let others go on; perhaps die."""
        self.alive()
        self.baton.pause()
        self.moment(what)

    def moment(self, what: str, *, torn: Callable[[], None] = lambda: None) -> None:
        """Perhaps die, without letting another thread run first.

        Args:
            what: for the trace.
            torn: what a death at this very moment leaves half done.
        """
        self.alive()
        self.steps += 1
        if self.steps == self.killed_at:
            torn()
            self.die(what)

    def die(self, what: str) -> NoReturn:
        """Die here.

        Raises:
            Killed: always.
        """
        self.dead = True
        self.trace(self.name, f"KILLED at step {self.steps}: {what}")
        raise Killed

    def alive(self) -> None:
        """Raise if this process is dead.

        Raises:
            Killed: it is.
        """
        if self.dead:
            raise Killed

    def world(self, ledger: Ledger) -> Environment:
        """Return what the code under test sees of the machine."""
        return Environment(
            environ={},
            cwd=Path("nowhere"),
            now=self.now,
            monotonic=self.monotonic,
            sleep=self.sleep,
            random=self.dice,
            map_concurrently=self.map_concurrently,
            result_of=self.baton.result_of,
            log=self.log,
            ledger=ledger,
            stop=self,
            run_id=self.name,
        )

    def now(self) -> float:
        """Return the wall clock's time."""
        self.alive()
        return START + self.baton.now + self.wall()

    def monotonic(self) -> float:
        """Return the monotonic clock's time."""
        self.alive()
        return self.baton.now

    def sleep(self, seconds: float) -> None:
        """Sleep; a wish to stop ends it early."""
        self.moment(f"sleeps {seconds:.1f} s")
        if not self.is_set():
            self.baton.sleep(seconds)
        self.alive()

    def wait(self, seconds: float) -> None:
        """Wait for the network, which knows nothing of our wishes."""
        self.moment("waits for the network")
        self.baton.sleep(seconds)
        self.alive()

    def map_concurrently(self, do: Callable[[T], R], items: Sequence[T], *, max_workers: int) -> list[R]:
        """Run `do` over the items side by side."""
        self.alive()
        return self.baton.side_by_side(do, items, at_once=max_workers)

    def log(self, event: str, /, **facts: object) -> None:
        """Log an event, and check it against the catalogue."""
        self.moment(event)
        self.trace(self.name, f"{event} {facts}")
        check_event(event, facts)
        for listen in self.events_received:
            listen(event)

    def is_set(self) -> bool:
        """Whether the run was asked to stop."""
        self.alive()
        return self.stopped_at is not None and self.steps >= self.stopped_at

    def set(self) -> None:
        """Ask the run to stop now."""
        self.stopped_at = self.steps

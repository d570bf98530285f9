"""The machines that run the tool, what happens to one run of it, and the lock that they may share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from reconciler.ledger.file import LockHeldError
from tests.simulation.baton import Baton
from tests.simulation.faults import Fates, Peace
from tests.simulation.ledgers import Disk

LOCK_POLLS: Final = 20


@dataclass(eq=False)
class Runner:
    """A machine that runs the tool now and then."""

    number: int
    disk: Disk
    offset: float = 0.0
    """How far its wall clock is from the server's."""
    saved: bytes | None = None
    """The file of a plan that was saved here."""


@dataclass(frozen=True, kw_only=True)
class Luck:
    """What happens to one run."""

    fates: Fates = field(default_factory=Peace)
    killed_at: int | None = None
    """The step at which it is killed."""
    stopped_at: int | None = None
    """The step at which it is asked to stop."""
    dies_creating: bool = False
    """Whether it is killed while its first create is on its way."""
    dies_cancelling: bool = False
    """Whether it is killed before its first cancel leaves."""
    full: range = range(0)
    """The steps during which the disk is full."""
    cut_off: float = 0.0
    """Share of calls of the remote that fail."""
    unheard: float = 0.0
    """Share of calls of `on_end` that fail."""
    jump: float = 0.0
    """By how much the wall clock jumps in the middle of it."""


@dataclass
class Lock:
    """One apply at a time, on one host or by a CI concurrency group."""

    baton: Baton
    used: bool
    """False if nothing keeps runners apart."""
    _taken: bool = False

    @contextmanager
    def held(self, *, patient: bool = False) -> Iterator[None]:
        """Hold it.

        Args:
            patient: whether the caller tries again for a while.

        Raises:
            HeldError: another run has it.
        """
        for _ in range(LOCK_POLLS if patient else 0):
            if not self._taken:
                break
            self.baton.sleep(10.0)
        if self._taken:
            raise LockHeldError("another apply is running on this target")
        self._taken = self.used
        try:
            yield
        finally:
            self._taken = False

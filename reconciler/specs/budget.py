"""Built-in ceilings on the work of one load. No setting of the project can raise them.

The files of a pull request decide how much there is to do, and its settings decide their own limits, before a person
has reviewed either. The time that input files take is not counted: it grows only with their bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Final

from reconciler.errors import ReconcilerError

MAX_SECONDS: Final = 120.0
"""Seconds that one load may take."""
_SIMPLER: Final = "no setting raises this ceiling: simplify the specs, or split the project"


class Work(Enum):
    """A kind of work: its ceiling in one load, and its name in a message."""

    GLOBS = 50_000, "globs"
    NAMES = 5_000_000, "names of files and folders for globs to compare"
    JOBS = 100_000, "jobs"
    EXCLUSIONS = 10_000_000, "combinations for `matrix.exclude` to compare"


class OverBudgetError(ReconcilerError):
    """The specs need more work than one load may do."""

    def __init__(self, message: str, *, hint: str = _SIMPLER) -> None:
        super().__init__(message, hint=hint)


class Budget:
    """Counts the work of one load. `monotonic` returns the seconds of a clock that never goes back."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until = monotonic() + MAX_SECONDS
        self._spent = dict.fromkeys(Work, 0)

    def check_time(self) -> None:
        """Raise `OverBudgetError` if the load takes too long."""
        if self._monotonic() > self._until:
            raise OverBudgetError(f"reading the specs takes more than {MAX_SECONDS:g} s")

    def spend(self, work: Work, amount: int = 1) -> None:
        """Count work before it is done.

        Raises `OverBudgetError` if it is more than one load may do, or the load takes too long.
        """
        self.check_time()
        most, name = work.value
        self._spent[work] += amount
        if self._spent[work] > most:
            raise OverBudgetError(f"the specs of this project make more than {most:,} {name}")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count the time that the code inside takes."""
        began = self._monotonic()
        yield
        self._until += self._monotonic() - began

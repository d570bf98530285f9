"""Built-in ceilings on the work of one load and on the problems that it reports. No setting can raise them.

The files of a pull request decide how much there is to do, and its settings decide their own limits, before a person
has reviewed either. The time that input files take is not counted: it grows only with their bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from itertools import groupby
from typing import Final

from reconciler.errors import Problem, ReconcilerError
from reconciler.text.plural import pluralize

MAX_SECONDS: Final = 120.0
"""Seconds that one load may take."""
MAX_SHOWN: Final = 100
"""Maximum number of problems shown per file."""
MAX_ERRORS: Final = 5000
"""Maximum number of errors in all before the other files are not read."""
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


class Problems:
    """Collects the problems of one load: errors and warnings, each once, up to a ceiling."""

    def __init__(self) -> None:
        self.errors: set[Problem] = set()
        self._warnings: set[Problem] = set()

    def add(self, problems: Iterable[Problem]) -> None:
        """Add problems."""
        for problem in problems:
            (self._warnings if problem.warning else self.errors).add(problem)

    def check_count(self) -> None:
        """Raise `OverBudgetError` if there are more than `MAX_ERRORS` errors."""
        if len(self.errors) > MAX_ERRORS:
            message = f"not read, because the files before it have more than {MAX_ERRORS:,} problems"
            raise OverBudgetError(message, hint="correct those first")

    def shown(self) -> tuple[Problem, ...]:
        """Return the problems, sorted; those above a file's maximum are replaced by their count."""
        shown: list[Problem] = []
        for path, group in groupby(sorted(self.errors | self._warnings), key=lambda problem: problem.path):
            found = list(group)
            shown += found[:MAX_SHOWN]
            if rest := found[MAX_SHOWN:]:
                message = f"and {pluralize(len(rest), 'more problem')} from here on"
                only_warnings = all(problem.warning for problem in rest)
                shown.append(Problem(path=path, line=rest[0].line, message=message, warning=only_warnings))
        return tuple(shown)

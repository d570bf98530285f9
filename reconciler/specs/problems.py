"""The problems of one load: errors and warnings, each once, up to a ceiling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from reconciler.errors import Problem
from reconciler.specs.budget import OverBudgetError
from reconciler.text.plural import pluralize

MAX_SHOWN: Final = 100
"""Maximum number of problems shown per file."""
MAX_ERRORS: Final = 5000
"""Maximum number of errors in all before the other files are not read."""


class Problems:
    """Collects problems."""

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
        return tuple(self._shown())

    def _shown(self) -> Iterator[Problem]:
        for path, group in groupby(sorted(self.errors | self._warnings), key=lambda problem: problem.path):
            found = list(group)
            yield from found[:MAX_SHOWN]
            if rest := found[MAX_SHOWN:]:
                message = f"and {pluralize(len(rest), 'more problem')} from here on"
                only_warnings = all(problem.warning for problem in rest)
                yield Problem(path=path, line=rest[0].line, message=message, warning=only_warnings)

"""What a rule is: a function of a case that returns actions where it applies and None where it does not.

Its `case` and `outcome` are the table a reader sees, in the planner's docstring and in `docs/planner.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from reconciler.actions import Action
from reconciler.case import Case

Verdict: TypeAlias = "tuple[Action, ...] | None"


class Rule(Struct, frozen=True):
    """A function of a case, with the words that document it."""

    case: str
    outcome: str
    decide: Callable[[Case], Verdict]

    @property
    def name(self) -> str:
        """The function's name, for readers of tests."""
        return self.decide.__name__


def rule(case: str, outcome: str) -> Callable[[Callable[[Case], Verdict]], Rule]:
    """Make a rule of a function."""
    return lambda decide: Rule(case, outcome, decide)

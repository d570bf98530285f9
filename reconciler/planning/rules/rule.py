"""A rule: a row of the planner's table, with the whole condition of its case and the actions for it.

The conditions exclude each other: exactly one rule applies to a name, so their order does not matter. `case` and
`outcome` are the text in `docs/planner.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeAlias, TypeVar

from msgspec import Struct

from reconciler.planning.actions import Action
from reconciler.planning.case import Case
from reconciler.planning.standing import Standing

Actions: TypeAlias = "tuple[Action, ...]"
Condition: TypeAlias = Callable[[Case], bool]
_T = TypeVar("_T")


class Rule(Struct, frozen=True):
    """One row of the table."""

    standing: Standing
    case: str
    outcome: str
    applies: Condition
    decide: Callable[[Case], Actions]
    """Valid only if the rule applies."""


def rule(
    standing: Standing, case: str, outcome: str, *, applies: Condition
) -> Callable[[Callable[[Case], Actions]], Rule]:
    """Make a rule of the function that returns its actions."""
    return lambda decide: Rule(standing, case, outcome, applies, decide)


def rule_about(
    standing: Standing, case: str, outcome: str, *, found: Callable[[Case], _T | None]
) -> Callable[[Callable[[Case, _T], Actions]], Rule]:
    """Make a rule that applies if `found` returns something; its function gets that, too."""

    def made(decide: Callable[[Case, _T], Actions]) -> Rule:
        @wraps(decide)
        def decided(it: Case) -> Actions:
            about = found(it)
            return () if about is None else decide(it, about)

        return Rule(standing, case, outcome, lambda it: found(it) is not None, decided)

    return made

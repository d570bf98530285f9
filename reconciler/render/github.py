"""Workflow commands: lines that GitHub shows as annotations, beside the lines of a pull request where they name one.

https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from reconciler.errors import Problem, ReconcilerError, SpecError
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Cancelled, Created, Outcome
from reconciler.render import grouping, plan_view
from reconciler.render.outcome_view import outcome_row
from reconciler.text.sanitize import clean

Kind: TypeAlias = Literal["error", "warning", "notice"]

MOST: Final = 10
"""GitHub shows so many annotations of each kind a step, and drops the rest."""

_ESCAPED: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_ESCAPED_FIELD: Final = _ESCAPED | {":": "%3A", ",": "%2C"}


def problems_github(problems: Iterable[Problem]) -> str:
    """Return the problems of specs, all of them: a file's page shows more than the list does."""
    return "".join(
        annotation(
            "warning" if problem.warning else "error",
            problem.message + (f" ({problem.hint})" if problem.hint else ""),
            file=problem.path,
            line=problem.line,
            col=problem.column,
        )
        for problem in problems
    )


def error_github(error: ReconcilerError) -> str:
    """Return what ended a command."""
    if isinstance(error, SpecError):
        return problems_github(error.problems)
    return annotation("error", f"{error}" + (f" ({error.hint})" if error.hint else ""))


def plan_github(plan: PlanDoc, told: Sequence[str] = (), *, everything: bool = False) -> str:
    """Return a plan: guards that refuse as errors, what needs a person as warnings, what changes as notices."""
    return _most(_plan(plan, told, everything=everything))


def outcomes_github(outcomes: Sequence[Outcome], plan: PlanDoc) -> str:
    """Return what an apply did: what went wrong as errors, what was done as notices."""
    places = {decision.name: decision.declared_at for decision in plan.decisions}
    return _most(_outcomes(outcomes, places))


def _plan(plan: PlanDoc, told: Sequence[str], *, everything: bool) -> Iterator[tuple[Kind, str]]:
    for guard in plan.guards:
        title = f"refused by {guard.guard}"
        yield "error", annotation("error", f"{guard.message} ({guard.hint})", title=title)
    for row in grouping.rows(plan, everything=everything):
        kind: Kind = "warning" if row.attention else "notice"
        title = f"{'look at' if row.verb == 'look' else row.verb} {row.name}"
        yield kind, annotation(kind, " · ".join(row.facts), title=title, **_place(row.declared_at))
    for line in told:
        yield "notice", annotation("notice", line)
    yield "notice", annotation("notice", plan_view.header(plan), title=plan_view.verdict(plan))


def _outcomes(outcomes: Sequence[Outcome], places: Mapping[str, str]) -> Iterator[tuple[Kind, str]]:
    for outcome in outcomes:
        kind: Kind = "notice" if isinstance(outcome, Created | Cancelled) else "error"
        row = outcome_row(outcome)
        hint = f" ({row.hint})" if row.hint else ""
        place = _place(places.get(outcome.name, ""))
        yield kind, annotation(kind, f"{row.fact}{hint}", title=f"{row.verb} {row.name}", **place)


def _most(annotations: Iterable[tuple[Kind, str]]) -> str:
    kinds: dict[Kind, list[str]] = {"error": [], "warning": [], "notice": []}
    for kind, text in annotations:
        kinds[kind].append(text)
    return "".join(text for texts in kinds.values() for text in texts[:MOST])


def _place(declared_at: str) -> dict[str, str | int]:
    path, _, line = declared_at.rpartition(":")
    return {"file": path, "line": int(line)} if path and line.isdecimal() else {}


def annotation(kind: Kind, message: str, **fields: str | int) -> str:
    """Return one workflow command, a line; fields that are empty are left out."""
    given = ",".join(f"{name}={_escaped(str(it), _ESCAPED_FIELD)}" for name, it in fields.items() if it)
    return f"::{kind}{' ' if given else ''}{given}::{_escaped(message, _ESCAPED)}\n"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    """Escape what ends a field, before control characters are taken out: a message may have several lines."""
    return clean("".join(table.get(character, character) for character in text))

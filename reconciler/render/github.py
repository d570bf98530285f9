"""Workflow commands: GitHub shows them as annotations, next to the lines of a pull request that they name.

https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

from reconciler.errors import Problem, ReconcilerError, SpecError
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Cancelled, Created, Outcome
from reconciler.render import grouping, plan_summary
from reconciler.render.outcome_view import outcome_row
from reconciler.text.sanitize import clean

AnnotationKind: TypeAlias = Literal["error", "warning", "notice"]

MAX_ANNOTATIONS: Final = 10
"""GitHub shows this many annotations of each kind per step, and drops the rest."""

_ESCAPED: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_ESCAPED_FIELD: Final = _ESCAPED | {":": "%3A", ",": "%2C"}


def problems_github(problems: Iterable[Problem]) -> str:
    """Return all problems of specs, without a limit: a file's page shows more of them than the list does."""
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
    """Return the error that ended a command."""
    if isinstance(error, SpecError):
        return problems_github(error.problems)
    return annotation("error", f"{error}" + (f" ({error.hint})" if error.hint else ""))


def plan_github(plan: PlanDoc, remarks: Sequence[str] = (), *, everything: bool = False) -> str:
    """Return a plan: guards as errors, names that need attention as warnings, changes as notices."""
    found = [*_guards(plan)]
    for row in grouping.lines(plan, everything=everything).rows:
        title = f"{row.name} needs attention" if row.verb == "attention" else f"{row.verb} {row.name}"
        place = _place(row.declared_at)
        found.append(
            annotation("warning" if row.attention else "notice", " · ".join(row.facts), title=title, **place)
        )
    places = {decision.name: decision.declared_at for decision in plan.decisions}
    found += [
        annotation(
            "warning" if it.warning else "notice",
            plan_summary.model_line(it) + (f": {it.hint}" if it.hint else ""),
            **_place(places.get(it.names[0], "") if it.names else ""),
        )
        for it in plan.models
    ]
    found += [annotation("notice", line) for line in remarks]
    found.append(annotation("notice", plan_summary.header(plan), title=plan_summary.verdict(plan)))
    return _limited(found)


def outcomes_github(outcomes: Sequence[Outcome], plan: PlanDoc) -> str:
    """Return the outcomes of an apply: guards and failures as errors, completed actions as notices."""
    places = {decision.name: decision.declared_at for decision in plan.decisions}
    found = [*_guards(plan)]
    for outcome in outcomes:
        row = outcome_row(outcome)
        found.append(
            annotation(
                "notice" if isinstance(outcome, Created | Cancelled) else "error",
                row.fact + (f" ({row.hint})" if row.hint else ""),
                title=f"{row.verb} {row.name}",
                **_place(places.get(outcome.name, "")),
            )
        )
    return _limited(found)


def _guards(plan: PlanDoc) -> Iterator[str]:
    for guard in plan.guards:
        yield annotation("error", f"{guard.message} ({guard.hint})", title=f"held back by {guard.guard}")


def _limited(annotations: Sequence[str]) -> str:
    """Return the first annotations of each kind, the most serious kind first."""
    of_kinds = ([it for it in annotations if it.startswith(f"::{kind}")] for kind in get_args(AnnotationKind))
    return "".join(it for found in of_kinds for it in found[:MAX_ANNOTATIONS])


def _place(declared_at: str) -> dict[str, str | int]:
    path, _, line = declared_at.rpartition(":")
    return {"file": path, "line": int(line)} if path and line.isdecimal() else {}


def annotation(kind: AnnotationKind, message: str, **fields: str | int) -> str:
    """Return one workflow command, a line; empty fields are left out."""
    given = ",".join(f"{name}={_escaped(str(it), _ESCAPED_FIELD)}" for name, it in fields.items() if it)
    return f"::{kind}{' ' if given else ''}{given}::{_escaped(message, _ESCAPED)}\n"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    """Escape delimiters before control characters are removed: a message may have several lines."""
    return clean("".join(table.get(character, character) for character in text))

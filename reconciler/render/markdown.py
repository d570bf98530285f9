"""Plans and outcomes as Markdown, for comments and step summaries: read in ten seconds, the rest folded.

Text from outside cannot become markup. A page stays below what a comment may hold: where it is too long, lists and
cells are cut, and say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reconciler.errors import ReconcilerError, SpecError
from reconciler.plans.document import HoldDoc, KeepDoc, MeasureDoc, PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping, plan_view
from reconciler.render.highlights import look_first
from reconciler.render.outcome_view import OutcomeRow, summary
from reconciler.render.plan_view import Row
from reconciler.text.plural import count
from reconciler.text.sanitize import clean

MOST_BYTES: Final = 60_000
"""A comment on GitHub holds 65,536 characters; some room is left for who posts it."""
CUTS: Final = ((1000, 2000), (300, 600), (100, 300), (40, 200), (15, 160), (5, 120), (2, 80), (0, 60))
"""How many rows a list and how many characters a cell may have, tried one after the other."""
ORDER: Final = {"cancel": 0, "replace": 1, "create": 2, "hold": 3, "look": 4}
"""What can lose something comes first."""

_ACTIVE: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@$&-])")
_REFERENCE: Final = re.compile(r"\\[@#]|\bGH\\-")
"""GitHub makes links of names and numbers behind these even where they are escaped."""


def escape(text: str) -> str:
    """Return text that Markdown and its tables show as it is: no markup, no mention, no link."""
    shown = _ACTIVE.sub(r"\\\1", clean(text)).replace("://", ":\u200b//").replace("www.", "www\u200b.")
    return _REFERENCE.sub("\\g<0>\u200b", shown)


def plan_markdown(plan: PlanDoc, told: Sequence[str] = (), *, everything: bool = False) -> str:
    """Return a plan: a verdict, what to look at first, a table of what changes, guards, and the rest folded.

    Args:
        plan: the document.
        told: lines that belong to it.
        everything: whether families are opened.
    """
    rows = grouping.rows(plan, everything=everything)
    return _fitting(lambda cut: _plan(plan, rows, told, cut))


def outcomes_markdown(outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow]) -> str:
    """Return what an apply did, did not do and does not know; `rows` are its lines."""
    return _fitting(lambda cut: [f"**{escape(summary(outcomes))}**", "", *_outcomes(rows, cut)])


def apply_markdown(
    plan: PlanDoc, outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow], told: Sequence[str] = ()
) -> str:
    """Return what an apply did, with what it was told to leave alone, and the plan folded: one comment for all."""
    verdict = f"{plan.target.project}: {summary(outcomes)}"
    planned = grouping.rows(plan)

    def parts(cut: _Cut) -> Iterator[str]:
        yield from (f"### {escape(verdict)}", "")
        yield from _outcomes(rows, cut)
        yield from _list(told, cut)
        yield from _folded_part("What was planned", list(_plan(plan, planned, (), cut)))

    return _fitting(parts)


def error_markdown(error: ReconcilerError, *, what: str) -> str:
    """Return why a command came to nothing; `what` is its name."""
    lines = [str(error)]
    if isinstance(error, SpecError):
        lines += [f"{it.where}: {it.message}" + (f" ({it.hint})" if it.hint else "") for it in error.problems]
    hint = [error.hint] if error.hint else []
    return _fitting(
        lambda cut: [f"### {what} failed: {cut.cell(lines[0])}", "", *_list((*lines[1:], *hint), cut)]
    )


class _Cut:
    """How much is shown."""

    def __init__(self, rows: int, characters: int) -> None:
        self.rows = rows
        self._characters = characters

    def cell(self, text: str) -> str:
        """Return text of the outside, cut and escaped; space in front of it would make code of it."""
        shown = clean(text).strip()
        return escape(shown if len(shown) <= self._characters else f"{shown[: self._characters]}…")


def _fitting(parts: Callable[[_Cut], Iterator[str] | list[str]]) -> str:
    """Return the longest of ever shorter versions that fits."""
    text = ""
    for rows, characters in CUTS:
        text = "\n".join(parts(_Cut(rows, characters))) + "\n"
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _plan(plan: PlanDoc, rows: Sequence[Row], told: Sequence[str], cut: _Cut) -> Iterator[str]:
    main = [row for row in rows if row.pending or not (row.attention or row.standing)]
    others = [row for row in rows if row.attention and not row.pending]
    yield from (
        f"### {cut.cell(plan_view.verdict(plan))}",
        "",
        cut.cell(" · ".join(filter(None, [plan_view.header(plan), plan_view.uploads(plan)]))),
    )
    yield from _list(look_first(plan, rows), cut, title="**Look first**")
    if main:
        head = ["", "| | name | why | requests | now |", "|---|---|---|---:|---|"]
        shown = sorted(main, key=lambda row: (ORDER[row.verb], row.name))
        yield from _table(head, [_cells(row, cut) for row in shown], cut)
    if measured := [escape(_measure(it)) for it in plan.measures if it.value]:
        yield from ("", f"Guards: {' · '.join(measured)}")
    if selection := plan_view.selection(plan):
        yield from ("", escape(selection))
    yield from _list(told, cut)
    if grouping.is_folded(plan, rows):
        yield from ("", escape(grouping.OPEN))
    different = [row for row in rows if row.changes or row.notes]
    yield from _folded_part(f"Field differences and notes ({len(different):,})", _differences(different, cut))
    why = [
        [f"{cut.cell(row.name)}", cut.cell(" · ".join(filter(None, [*row.why, row.now])))] for row in others
    ]
    yield from _folded_part(
        f"{count(len(others), 'name')} in need of attention, not this change's doing",
        _table(["", "| name | why |", "|---|---|"], why, cut),
    )
    yield from _folded_part(
        f"Unchanged: {plan_view.unchanged(plan).partition(': ')[2] or 'on hold'}",
        _table(["", "| name | why | job |", "|---|---|---|"], _unchanged(plan, cut), cut),
    )


def _cells(row: Row, cut: _Cut) -> list[str]:
    why = " · ".join(filter(None, [*row.why, row.uploads]))
    verb = "**look**" if row.attention and not row.pending else row.verb
    requests = row.requests.removesuffix("s").removesuffix(" request") if row.requests else ""
    return [
        verb,
        cut.cell(row.name),
        cut.cell(why),
        cut.cell(requests),
        cut.cell(f"stops first: {row.now}" if row.first else row.now),
    ]


def _unchanged(plan: PlanDoc, cut: _Cut) -> list[list[str]]:
    """Return a line for each job that stays; those that are cut off anyway are not made."""
    told = [(decision, plan_view.row(decision)) for decision in plan.decisions if not decision.pending]
    quiet = [
        (decision, action)
        for decision, row in told
        if row is None or row.standing
        for action in decision.actions
        if isinstance(action, KeepDoc | HoldDoc)
    ]
    shown = [
        [
            cut.cell(decision.name),
            cut.cell(" · note: ".join((plan_view.reason_words(action.reason), *decision.notes))),
            cut.cell(plan_view.job(action.job) if action.job else ""),
        ]
        for decision, action in quiet[: cut.rows]
    ]
    return [*shown, *([] for _ in quiet[cut.rows :])]


def _measure(it: MeasureDoc) -> str:
    if it.guard == "max_cancel_share":
        return f"{it.guard} {it.value:.0%} of {it.limit:.0%}"
    return f"{it.guard} {it.value:,.0f} of {it.limit:,.0f}"


def _differences(rows: Sequence[Row], cut: _Cut) -> list[str]:
    lines = [
        [cut.cell(row.name), "<br>".join(cut.cell(line) for line in row.below[: max(1, cut.rows)])]
        for row in rows
    ]
    return _table(["", "| name | |", "|---|---|"], lines, cut)


def _outcomes(rows: Sequence[OutcomeRow], cut: _Cut) -> list[str]:
    cells = [
        [row.verb, cut.cell(row.name), cut.cell(row.fact) + (f"<br>{cut.cell(row.hint)}" if row.hint else "")]
        for row in sorted(rows, key=lambda row: row.sign in "+-")
    ]
    return _table(["| | name | |", "|---|---|---|"], cells, cut)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], cut: _Cut) -> list[str]:
    """Return a table; [] where there is nothing to show."""
    if not rows:
        return []
    lines = [*head, *(f"| {' | '.join(row)} |" for row in rows[: cut.rows])]
    more = len(rows) - cut.rows
    return [*lines, "", f"… and {count(more, 'line')} more"] if more > 0 else lines


def _list(lines: Sequence[str], cut: _Cut, *, title: str = "") -> list[str]:
    if not lines:
        return []
    most = max(cut.rows, 3)
    more = [f"- … and {count(len(lines) - most, 'line')} more"] if len(lines) > most else []
    return ["", *([title, ""] if title else []), *(f"- {cut.cell(line)}" for line in lines[:most]), *more]


def _folded_part(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines that open when the title is pressed; [] where there are none.

    The title stands in HTML, where Markdown's backslashes mean nothing; every mark of it becomes a number, so that
    nothing in it is markup, a mention or a link either.
    """
    if not lines:
        return []
    opened = lines[1:] if not lines[0] else lines
    plain = title.replace("://", ":\u200b//").replace("www.", "www\u200b.")
    shown = re.sub(r"[^\w ,.:;()·…'/\u200b-]", lambda mark: f"&#{ord(mark[0])};", plain)
    return ["", "<details>", f"<summary>{shown}</summary>", "", *opened, "", "</details>"]

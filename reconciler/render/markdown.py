"""Plans and outcomes as Markdown, for comments and step summaries: a short overview, with the details folded.

Text from outside cannot become markup. A page stays below the size limit of a comment: lists and cells of a longer one
are cut, with a mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reconciler.errors import ReconcilerError, SpecError
from reconciler.plans.action_documents import HoldDoc, KeepDoc
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping, plan_summary, plan_view
from reconciler.render.grouping import PlanLines
from reconciler.render.outcome_view import OutcomeRow, summary
from reconciler.render.plan_view import Row
from reconciler.render.reasons import reason_words
from reconciler.render.tables import escape
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

MAX_BYTES: Final = 60_000
"""A comment on GitHub holds 65,536 characters; the rest is left for text that is added when it is posted."""
CUTS: Final = ((1000, 2000), (300, 600), (100, 300), (40, 200), (15, 160), (5, 120), (2, 80), (0, 60))
"""The rows of a list and the characters of a cell that are shown, tried in this order."""
ORDER: Final = {"cancel": 0, "replace": 1, "create": 2, "hold": 3, "wait": 4, "attention": 5}
"""The order of a table: actions that can lose answers come first."""


def plan_markdown(plan: PlanDoc, remarks: Sequence[str] = (), *, everything: bool = False) -> str:
    """Return a plan: a verdict, the highlights, a table of changes, guards, remarks about it, and the rest folded."""
    shown = grouping.lines(plan, everything=everything)
    return _fitting(lambda cut: _plan(plan, shown, remarks, cut))


def outcomes_markdown(outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow]) -> str:
    """Return the outcomes of an apply; `rows` are its lines."""
    return _fitting(lambda cut: [f"**{escape(summary(outcomes))}**", "", *_outcomes(rows, cut)])


def apply_markdown(
    plan: PlanDoc, outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow], remarks: Sequence[str] = ()
) -> str:
    """Return one comment for an apply: its outcomes, the remarks, and the plan folded."""
    held = plan_summary.held_back(plan)
    done = summary(outcomes) if outcomes or not held else ""
    verdict = f"{plan.target.project}: {' · '.join(filter(None, [held, done]))}"
    planned = grouping.lines(plan)

    def parts(cut: _Cut) -> Iterator[str]:
        yield from (f"### {escape(verdict)}", "")
        yield from _outcomes(rows, cut)
        yield from _list([*plan_summary.refusals(plan), *remarks], cut)
        yield from _folded_part("The plan", list(_plan(plan, planned, (), cut)))

    return _fitting(parts)


def error_markdown(error: ReconcilerError, *, what: str) -> str:
    """Return the error that ended a command; `what` is the command's name."""
    lines = [str(error)]
    if isinstance(error, SpecError):
        lines += [f"{it.where}: {it.message}" + (f" ({it.hint})" if it.hint else "") for it in error.problems]
    hint = [error.hint] if error.hint else []
    return _fitting(
        lambda cut: [f"### {what} failed: {cut.cell(lines[0])}", "", *_list((*lines[1:], *hint), cut)]
    )


class _Cut:
    """The limits on what is shown."""

    def __init__(self, rows: int, characters: int) -> None:
        self.rows = rows
        self._characters = characters

    def cell(self, text: str) -> str:
        """Return text from outside, cut and escaped. Leading space is stripped: it would make the text a code block."""
        shown = clean(text).strip()
        return escape(shown if len(shown) <= self._characters else f"{shown[: self._characters]}…")


def _fitting(parts: Callable[[_Cut], Iterator[str] | list[str]]) -> str:
    """Return the longest version that fits."""
    text = ""
    for rows, characters in CUTS:
        text = "\n".join(parts(_Cut(rows, characters))) + "\n"
        if len(text.encode()) <= MAX_BYTES:
            break
    return text


def _plan(plan: PlanDoc, lines: PlanLines, remarks: Sequence[str], cut: _Cut) -> Iterator[str]:
    rows = lines.rows
    main = [row for row in rows if row.pending or not (row.attention or row.lasting)]
    others = [row for row in rows if row.attention and not row.pending]
    uploads = plan_summary.uploads(plan)
    yield from (
        f"### {cut.cell(plan_summary.verdict(plan))}",
        "",
        cut.cell(" · ".join(filter(None, [plan_summary.header(plan), uploads and f"would {uploads}"]))),
    )
    yield from _list(plan_summary.review_highlights(plan, rows), cut, title="**Review first**")
    if main:
        head = ["", "| | name | why | model | requests | cost | now |", "|---|---|---|---|---:|---|---|"]
        shown = sorted(main, key=lambda row: (ORDER[row.verb], row.name))
        yield from _table(head, [_cells(row, cut) for row in shown], cut)
    if selection := plan_summary.selection(plan):
        yield from ("", escape(selection))
    yield from _list([*remarks, *plan_summary.model_notes(plan)], cut)
    if lines.folded:
        yield from ("", escape(grouping.FOLDED_NOTE))
    different = [row for row in rows if row.below]
    yield from _folded_part(
        f"Settings, field differences and notes ({len(different):,})", _differences(different, cut)
    )
    why = [
        [f"{cut.cell(row.name)}", cut.cell(" · ".join(filter(None, [*row.why, row.now])))] for row in others
    ]
    yield from _folded_part(
        f"{pluralize(len(others), 'name needs', 'names need')} attention, not because of this change",
        _table(["", "| name | why |", "|---|---|"], why, cut),
    )
    yield from _folded_part(
        f"Unchanged: {plan_summary.unchanged(lines.quiet).rpartition('unchanged: ')[2] or 'on hold'}",
        _table(["", "| name | why | job |", "|---|---|---|"], _unchanged(lines, cut), cut),
    )


def _cells(row: Row, cut: _Cut) -> list[str]:
    why = " · ".join(filter(None, [*row.why, row.uploads]))
    verb = "**attention**" if row.attention and not row.pending else row.verb
    requests = row.requests.removesuffix("s").removesuffix(" request") if row.requests else ""
    return [
        verb,
        cut.cell(row.name),
        cut.cell(why),
        "<br>".join(map(cut.cell, filter(None, [row.model, row.endpoint]))),
        cut.cell(requests),
        "<br>".join(map(cut.cell, filter(None, [row.cost, row.difference]))),
        cut.cell(f"cancelled first: {row.now}" if row.cancel_before_create else row.now),
    ]


def _unchanged(lines: PlanLines, cut: _Cut) -> list[list[str]]:
    """Return a row for each unchanged job. Rows beyond the cut are counted but not built."""
    quiet = [
        (decision, action)
        for decision in sorted((*lines.quiet, *lines.lasting), key=lambda it: it.name)
        for action in decision.actions
        if isinstance(action, KeepDoc | HoldDoc)
    ]
    shown = [
        [
            cut.cell(decision.name),
            cut.cell(" · note: ".join((reason_words(action.reason), *decision.notes))),
            cut.cell(plan_view.job(action.job, decision.states) if action.job else ""),
        ]
        for decision, action in quiet[: cut.rows]
    ]
    return [*shown, *([] for _ in quiet[cut.rows :])]


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
    """Return a table; [] if there are no rows."""
    if not rows:
        return []
    lines = [*head, *(f"| {' | '.join(row)} |" for row in rows[: cut.rows])]
    more = len(rows) - cut.rows
    return [*lines, "", f"… and {pluralize(more, 'line')} more"] if more > 0 else lines


def _list(lines: Sequence[str], cut: _Cut, *, title: str = "") -> list[str]:
    if not lines:
        return []
    most = max(cut.rows, 3)
    more = [f"- … and {pluralize(len(lines) - most, 'line')} more"] if len(lines) > most else []
    return ["", *([title, ""] if title else []), *(f"- {cut.cell(line)}" for line in lines[:most]), *more]


def _folded_part(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines that unfold on a click at the title; [] if there are none.

    The title is HTML, in which Markdown's backslashes have no effect. Its punctuation is written as character
    references, so that it cannot contain markup, a mention or a link either.
    """
    if not lines:
        return []
    opened = lines[1:] if not lines[0] else lines
    plain = title.replace("://", ":\u200b//").replace("www.", "www\u200b.")
    shown = re.sub(r"[^\w ,.:;()·…'/\u200b-]", lambda mark: f"&#{ord(mark[0])};", plain)
    return ["", "<details>", f"<summary>{shown}</summary>", "", *opened, "", "</details>"]

"""Plans and outcomes as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping, plan_summary
from reconciler.render.outcome_view import OutcomeRow, summary
from reconciler.text.sanitize import clean

SIGNS: Final = {"create": "+", "replace": "~", "cancel": "-", "hold": "=", "wait": "=", "attention": "!"}
COLOURS: Final = {"+": "32", "~": "33", "-": "31", "!": "35", "?": "35", "=": "36"}
MAX_NAME_WIDTH: Final = 40


def paint(text: str, sign: str, *, colour: bool) -> str:
    """Return `text` in a sign's colour."""
    code = COLOURS.get(sign, "")
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def plan_text(plan: PlanDoc, *, colour: bool, next_step: str = "", everything: bool = False) -> str:
    """Return a plan: its header, a line for each job that changes, the rest folded, and a line of totals.

    `next_step` has the exact commands that apply it. With `everything`, every job of a family has a line.
    """
    shown = grouping.lines(plan, everything=everything)
    rows, notes = shown.rows, [f"  note: {note}" for note in shown.notes]
    header, same = plan_summary.header(plan), plan_summary.unchanged(shown.quiet)
    selected = plan_summary.selection(plan)
    guards = [
        paint(clean(f"held back by {guard.guard}: {guard.message}"), "!", colour=colour)
        + f"\n  hint: {clean(guard.hint)}"
        for guard in plan.guards
    ]
    if not rows:
        quiet = "; ".join(filter(None, [selected, same or "nothing is declared"]))
        return "\n".join([f"No changes. {header} · {quiet}", *notes, *guards]) + "\n"
    width = min(MAX_NAME_WIDTH, max(len(row.name) for row in rows))
    verb_width = max(len("replace"), *(len(row.verb) for row in rows))
    lines = [header, ""]
    for row in rows:
        sign = "!" if row.attention else SIGNS[row.verb]
        lines.append(
            f"  {paint(f'{sign} {row.verb:<{verb_width}}', sign, colour=colour)} {row.name:<{width}}  "
            + " · ".join(row.facts)
        )
        lines += [f"      {line}" for line in row.below]
    lines += [f"  {line}" for line in (same, selected) if line]
    lines += notes
    lines += [f"  {grouping.FOLDED_NOTE}"] if shown.folded else []
    totals = plan_summary.totals(plan)
    if totals:
        lines += ["", totals]
    lines += guards
    if next_step and plan.pending:
        lines.append(next_step)
    return "\n".join(lines) + "\n"


def outcomes_text(outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow], *, colour: bool) -> str:
    """Return the outcomes of an apply; `rows` are its lines."""
    width = min(MAX_NAME_WIDTH, max(len(row.name) for row in rows))
    lines = [
        f"  {paint(f'{row.sign} {row.verb:<12}', row.sign, colour=colour)} {row.name:<{width}}  {row.fact}"
        + (f"\n      hint: {row.hint}" if row.hint else "")
        for row in rows
    ]
    return "\n".join(["", *lines, "", summary(outcomes)]) + "\n"

"""Plans and outcomes as text for a terminal. Values in, strings out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping, plan_view
from reconciler.render.outcome_view import OutcomeRow, summary
from reconciler.text.sanitize import clean

SIGNS: Final = {"create": "+", "replace": "~", "cancel": "-", "hold": "=", "look": "!"}
COLOURS: Final = {"+": "32", "~": "33", "-": "31", "!": "35", "?": "35", "=": "36"}
WIDEST_NAME: Final = 40


def paint(text: str, sign: str, *, colour: bool) -> str:
    """Return `text` in a sign's colour."""
    code = COLOURS.get(sign, "")
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def plan_text(plan: PlanDoc, *, colour: bool, next_step: str = "", everything: bool = False) -> str:
    """Return a plan: where one is, a line for each job that changes, the rest folded, one line of totals.

    Args:
        plan: the document.
        colour: whether a terminal shows it.
        next_step: the exact command that applies it, "" where there is none to name.
        everything: whether families are opened.
    """
    rows = grouping.rows(plan, everything=everything)
    header, same = plan_view.header(plan), plan_view.unchanged(plan)
    selected = plan_view.selection(plan)
    if not rows:
        told = "; ".join(filter(None, [selected, same or "nothing is declared"]))
        return f"No changes. {header} · {told}\n" + "".join(
            f"  note: {note}\n" for note in grouping.notes(plan, everything=everything)
        )
    width = min(WIDEST_NAME, max(len(row.name) for row in rows))
    lines = [header, ""]
    for row in rows:
        sign = "!" if row.attention else SIGNS[row.verb]
        verb = "look at" if row.verb == "look" else row.verb
        lines.append(
            f"  {paint(f'{sign} {verb:<7}', sign, colour=colour)} {row.name:<{width}}  {' · '.join(row.facts)}"
        )
        lines += [f"      {line}" for line in row.below]
    lines += [f"  {line}" for line in (same, selected) if line]
    lines += [f"  note: {note}" for note in grouping.notes(plan, everything=everything)]
    lines += [f"  {grouping.OPEN}"] if grouping.is_folded(plan, rows) else []
    totals = plan_view.totals(plan)
    if totals:
        lines += ["", totals]
    lines += [
        paint(clean(f"refused by {guard.guard}: {guard.message}"), "!", colour=colour)
        + f"\n  hint: {clean(guard.hint)}"
        for guard in plan.guards
    ]
    if next_step and plan.pending:
        lines.append(next_step)
    return "\n".join(lines) + "\n"


def outcomes_text(outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow], *, colour: bool) -> str:
    """Return what an apply did, did not do and does not know; `rows` are its lines."""
    width = min(WIDEST_NAME, max(len(row.name) for row in rows))
    lines = [
        f"  {paint(f'{row.sign} {row.verb:<12}', row.sign, colour=colour)} {row.name:<{width}}  {row.fact}"
        + (f"\n      hint: {row.hint}" if row.hint else "")
        for row in rows
    ]
    return "\n".join(["", *lines, "", summary(outcomes)]) + "\n"

"""Plans and outcomes as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from reconciler.cost.actual import Cost
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping, plan_summary
from reconciler.render.outcome_view import OutcomeRow, summary
from reconciler.render.paint import paint
from reconciler.text.money import spent
from reconciler.text.sanitize import clean

SIGNS: Final = {"create": "+", "replace": "~", "cancel": "-", "hold": "=", "wait": "=", "attention": "!"}
MAX_NAME_WIDTH: Final = 40


def cost_words(cost: Cost | None) -> str:
    """Return an actual cost: `$0.42`, `≥ $0.42` if it may be more, `?` if it is not known."""
    return "?" if cost is None else spent(cost.amount, cost.currency, lower=cost.lower_bound)


class NameLine(NamedTuple):
    """A line about one name, and the lines below it."""

    sign: str
    word: str
    name: str
    facts: Sequence[str]
    below: Sequence[str] = ()


def name_lines(lines: Sequence[NameLine], *, colour: bool, word_width: int = 0) -> Iterator[str]:
    """Yield lines about names, with aligned columns; the column of words is at least `word_width` wide."""
    word_width = max([word_width, *(len(it.word) for it in lines)])
    width = min(MAX_NAME_WIDTH, max((len(it.name) for it in lines), default=0))
    for it in lines:
        word = paint(f"{it.sign} {it.word:<{word_width}}", it.sign, colour=colour)
        yield f"  {word} {it.name:<{width}}  {' · '.join(it.facts)}"
        yield from (f"      {line}" for line in it.below)


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
    named = [
        NameLine("!" if row.attention else SIGNS[row.verb], row.verb, row.name, row.facts, row.below)
        for row in rows
    ]
    lines = [header, "", *name_lines(named, colour=colour, word_width=len("replace"))]
    lines += [f"  {line}" for line in (same, selected) if line]
    lines += notes
    lines += [f"  {grouping.FOLDED_NOTE}"] if shown.folded else []
    totals = plan_summary.totals(plan)
    if totals:
        lines += ["", totals]
    lines += [
        f"{paint('warning', '~', colour=colour)}: {line}\n  hint: {hint}"
        for line, hint in plan_summary.model_warnings(plan)
    ]
    lines += [f"note: {line}" for line in plan_summary.model_notes(plan)]
    lines += guards
    if next_step and plan.pending:
        lines.append(next_step)
    return "\n".join(lines) + "\n"


def outcomes_text(outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow], *, colour: bool) -> str:
    """Return the outcomes of an apply; `rows` are its lines."""
    named = [
        NameLine(row.sign, row.verb, row.name, [row.fact], [f"hint: {row.hint}"] if row.hint else [])
        for row in rows
    ]
    return "\n".join(["", *name_lines(named, colour=colour, word_width=12), "", summary(outcomes)]) + "\n"

"""Plans and outcomes as Markdown, for comments and step summaries. Text from outside cannot become markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from reconciler.document import PlanDoc
from reconciler.outcomes import Outcome
from reconciler.render import folded, plan_words
from reconciler.render.clean import clean
from reconciler.render.outcome_words import OutcomeRow, summary

_ACTIVE: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@$&-])")
_REFERENCE: Final = re.compile(r"\\[@#]|\bGH\\-")
"""GitHub makes links of names and numbers behind these even where they are escaped."""


def escape(text: str) -> str:
    """Return text that Markdown and its tables show as it is: no markup, no mention, no link."""
    shown = _ACTIVE.sub(r"\\\1", clean(text)).replace("://", ":\u200b//").replace("www.", "www\u200b.")
    return _REFERENCE.sub("\\g<0>\u200b", shown)


def plan_markdown(plan: PlanDoc, told: Sequence[str] = (), *, everything: bool = False) -> str:
    """Return a plan: a verdict, a table of what changes with reasons, the rest folded.

    Args:
        plan: the document.
        told: lines that belong to it.
        everything: whether families are opened.
    """
    rows = folded.rows(plan, everything=everything)
    lines = [f"**{escape(plan_words.totals(plan) or 'No changes')}**", "", escape(plan_words.header(plan))]
    for guard in plan.guards:
        refused = f"> **Refused** by {escape(guard.guard)}: {escape(guard.message)}"
        lines += ["", f"{refused}<br>{escape(guard.hint)}"]
    if rows:
        lines += ["", "| | name | why |", "|---|---|---|"]
    for row in rows:
        verb = "**look**" if row.attention else row.verb
        why = " · ".join(escape(fact) for fact in row.facts)
        below = "".join(f"<br>{escape(line)}" for line in row.below)
        lines.append(f"| {verb} | {escape(row.name)} | {why}{below} |")
    notes = [f"note: {note}" for note in folded.notes(plan, everything=everything)]
    notes += [folded.OPEN] if folded.is_folded(plan, rows) else []
    for line in (plan_words.unchanged(plan), plan_words.selection(plan), *notes, *told):
        lines += ["", escape(line)] if line else []
    return "\n".join(lines) + "\n"


def outcomes_markdown(outcomes: Sequence[Outcome], rows: Sequence[OutcomeRow]) -> str:
    """Return what an apply did, did not do and does not know; `rows` are its lines."""
    lines = [f"**{escape(summary(outcomes))}**", "", "| | name | |", "|---|---|---|"]
    for row in rows:
        hint = f"<br>{escape(row.hint)}" if row.hint else ""
        lines.append(f"| {row.verb} | {escape(row.name)} | {escape(row.fact)}{hint} |")
    return "\n".join(lines) + "\n"

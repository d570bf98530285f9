"""A plan's lines with families folded: `backfill-* (13 of 3,000)` replaces thirteen similar lines.

Jobs of one spec with the same decision are folded. A job whose decision differs by more than its numbers, or that
needs attention for a reason of its own, keeps its line. `--all` lists every job.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from reconciler.plans.action_documents import CancelDoc, CreateDoc, HoldDoc
from reconciler.plans.cost_document import total
from reconciler.plans.document import DecisionDoc, PlanDoc
from reconciler.plans.outcomes import Cancelled, Created, Outcome
from reconciler.render import plan_view
from reconciler.render.cost_view import cost_words
from reconciler.render.outcome_view import OutcomeRow, outcome_row
from reconciler.render.plan_view import Row
from reconciler.render.reasons import reason_words
from reconciler.text.plural import pluralize, size
from reconciler.text.sanitize import clean

T = TypeVar("T")

MIN_FOLDED: Final = 4
"""The smallest number of a family's lines that are folded."""

FOLDED_NOTE: Final = "families are folded: --all lists every job"


class Family(NamedTuple):
    """The jobs of one spec."""

    declared_at: str
    label: str


def of(decision: DecisionDoc) -> Family | None:
    """Return the family of a decision, None for a spec of one job."""
    return Family(decision.declared_at, decision.family) if decision.family else None


def family_title(label: str, number: int, total: int) -> str:
    """Return `backfill-* (13 of 3,000)`."""
    return f"{label} ({number:,} of {total:,})"


def fold(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    """Yield the items with the same key together, in the place of the first; few of them, or without a key, alone."""
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for at, item in enumerate(items):
        groups[at if (alike := key(item)) is None else (alike,)].append(item)
    for group in groups.values():
        yield from [group] if len(group) >= MIN_FOLDED else ([item] for item in group)


class PlanLines(NamedTuple):
    """A plan's lines, made once for all parts of a report."""

    rows: Sequence[Row]
    """A line for each decision that has one, those of a family together; sorted by name."""
    quiet: Sequence[DecisionDoc]
    """The decisions that change nothing and have no line."""
    lasting: Sequence[DecisionDoc]
    """The decisions whose hold lasts until a person changes the spec."""
    notes: Sequence[str]
    """The notes on quiet decisions, a note that a family shares only once."""
    folded: bool
    """Whether a line represents several decisions."""


def lines(plan: PlanDoc, *, everything: bool = False) -> PlanLines:
    """Return the lines of a plan. With `everything`, they list every job of a family."""
    every = [(decision, plan_view.row(decision)) for decision in plan.decisions]
    shown = [(decision, row) for decision, row in every if row is not None]
    quiet = [decision for decision, row in every if row is None and decision.actions]
    totals = Counter(map(of, plan.decisions))
    groups = fold(shown, lambda it: None if everything or not it[0].family else _alike(*it))
    found = [_folded(group, totals) if len(group) > 1 else group[0][1] for group in groups]
    return PlanLines(
        rows=sorted(found, key=lambda row: row.name),
        quiet=quiet,
        lasting=[decision for decision, row in shown if row.lasting],
        notes=_notes(quiet, totals, everything=everything),
        folded=len(found) < len(shown),
    )


def _alike(decision: DecisionDoc, row: Row) -> Hashable:
    """Return the key that two decisions of a family must share to be folded."""
    creates = tuple(
        (
            it.reason,
            it.attempt,
            it.rests_on_ledger,
            it.answered_by,
            it.endpoint,
            tuple(change for change in it.changes if change.field != "inputs"),
        )
        for it in decision.of(CreateDoc)
    )
    cancels = tuple((it.reason, it.cancel_before_create) for it in decision.of(CancelDoc))
    holds = tuple(
        (it.reason, it.hint, it.until, it.detail if it.attention else "") for it in decision.of(HoldDoc)
    )
    quiet = creates or cancels or holds
    return of(decision), row.verb, row.attention, creates, cancels, holds, quiet or row.facts


def _folded(group: Sequence[tuple[DecisionDoc, Row]], totals: Mapping[Family | None, int]) -> Row:
    decisions = [decision for decision, _ in group]
    first, row = group[0]
    creates = [create for decision in decisions for create in decision.of(CreateDoc)]
    cancels = [cancel.job for decision in decisions for cancel in decision.of(CancelDoc)]
    why = _common(row.why for _, row in group)
    if (creates or cancels) and not any(create.rests_on_ledger for create in creates):
        why = row.why[:1]
    answered = sum(job.completed_requests for job in cancels)
    now = f"{pluralize(len(cancels), 'job')}, {answered:,} requests answered" if cancels else ""
    if cancels and not creates:
        why, now = (reason_words(first.of(CancelDoc)[0].reason),), f"cancels {now}"
    changes, notes = _common(row.changes for _, row in group), _common(row.notes for _, row in group)
    settings = _common(row.settings for _, row in group)
    different = dict.fromkeys(
        it.partition("=")[0] for _, row in group for it in row.settings if it not in settings
    )
    more = sum(len(row.changes) + len(row.notes) - len(changes) - len(notes) for _, row in group)
    return replace(
        row,
        name=clean(family_title(first.family, len(group), totals[of(first)])),
        why=tuple(map(clean, why)),
        requests=_requests(creates),
        cost=_cost(creates),
        difference="",
        estimate=_common(row.estimate for _, row in group),
        settings=(*settings, *(f"{name} differs" for name in different)),
        uploads=_uploads(creates),
        now=now,
        changes=(*changes, *((f"{pluralize(more, 'line')} more, with --all",) if more else ())),
        notes=notes,
    )


def _requests(creates: Sequence[CreateDoc]) -> str:
    known = [create.requests for create in creates if create.requests is not None]
    facts = [pluralize(sum(known), "request")] if known else []
    if len(known) < len(creates):
        facts.append(f"{pluralize(len(creates) - len(known), 'job')} of unknown size")
    return " and ".join(facts)


def _cost(creates: Sequence[CreateDoc]) -> str:
    return cost_words(total([it.cost for it in creates if it.cost]))


def _uploads(creates: Sequence[CreateDoc]) -> str:
    uploads = {upload.sha256: upload.bytes for create in creates for upload in create.uploads}
    return f"uploads {pluralize(len(uploads), 'file')} ({size(sum(uploads.values()))})" if uploads else ""


def _common(lines: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the items that all of the lines have, in the order of the first."""
    first, *rest = lines
    kept = set(first).intersection(*rest)
    return tuple(line for line in first if line in kept)


def _notes(
    quiet: Iterable[DecisionDoc], totals: Mapping[Family | None, int], *, everything: bool
) -> list[str]:
    noted = [(decision, note) for decision in quiet for note in decision.notes]
    found = []
    for group in fold(noted, lambda it: None if everything or not it[0].family else (of(it[0]), it[1])):
        decision, note = group[0]
        family = family_title(decision.family, len(group), totals[of(decision)])
        found.append(clean(f"{family if len(group) > 1 else decision.name}: {note}"))
    return sorted(found)


def outcomes(done: Sequence[Outcome], plan: PlanDoc, *, everything: bool = False) -> list[OutcomeRow]:
    """Return a line for each outcome. Successful ones are folded by family, others are not."""
    families = {} if everything else {it.name: of(it) for it in plan.decisions}
    totals = Counter(map(of, plan.decisions))

    def alike(outcome: Outcome) -> Hashable:
        family = families.get(outcome.name)
        well = isinstance(outcome, Created | Cancelled)
        return (family, outcome_row(outcome).verb) if family and well else None

    found = []
    for group in fold(done, alike):
        row, family = outcome_row(group[0]), families.get(group[0].name)
        if family and len(group) > 1:
            name = clean(family_title(family.label, len(group), totals[family]))
            row = OutcomeRow(row.sign, row.verb, name, pluralize(len(group), "job"))
        found.append(row)
    return found

"""The highlights of a plan for a reviewer: a few lines, the most important first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.plans.document import CancelDoc, CreateDoc, PlanDoc
from reconciler.plans.name_status import known_total
from reconciler.render.plan_view import BY_LEDGER, Row
from reconciler.text.plural import pluralize

MAX_LISTED_LOSSES: Final = 3
"""Maximum number of losses listed."""


def review_highlights(plan: PlanDoc, rows: Sequence[Row]) -> list[str]:
    """Return the lines; none for a plan without anything remarkable."""
    found = (held_back(plan), _by_ledger(rows), _lost(plan), _large(plan))
    return [*(line for lines in found for line in lines), *_half_of_a_spec(plan, rows)]


def held_back(plan: PlanDoc) -> Iterator[str]:
    """Yield a line for each guard that holds something back: its number, and the next step."""
    for guard in plan.guards:
        yield f"held back by {guard.guard}: {guard.message}; {guard.hint}"


def _by_ledger(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for says in (fact for fact in row.why if row.pending and fact.startswith(BY_LEDGER)):
            yield f"{row.name}: submitted only {says}; anyone who may push to the ledger can write that"


def _lost(plan: PlanDoc) -> Iterator[str]:
    losses = sorted(
        (
            (cancel.job.completed_requests, decision.name, cancel.job)
            for decision in plan.decisions
            for cancel in decision.of(CancelDoc)
            if cancel.job.completed_requests and cancel.reason != "duplicate"
        ),
        key=lambda it: (-it[0], it[1]),
    )
    for lost, name, job in losses[:MAX_LISTED_LOSSES]:
        yield f"{name}: loses {lost:,} of {known_total(job):,} answers, which are paid for"
    if len(losses) > MAX_LISTED_LOSSES:
        yield f"{pluralize(len(losses) - MAX_LISTED_LOSSES, 'more job')} with lost answers"


def _large(plan: PlanDoc) -> Iterator[str]:
    creates = [(create, decision.name) for decision in plan.decisions for create in decision.of(CreateDoc)]
    unknown = [name for create, name in creates if create.requests is None]
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        yield f"the number of requests of {unknown[0]}{more} is not known"
    requests, name = max(((create.requests or 0, name) for create, name in creates), default=(0, ""))
    if len(creates) > 1 and requests * 2 > plan.summary.requests:
        yield f"{name} is most of the plan: {requests:,} of {pluralize(plan.summary.requests, 'request')}"


def _half_of_a_spec(plan: PlanDoc, rows: Sequence[Row]) -> Iterator[str]:
    if plan.dirty:
        yield "made from files with uncommitted changes; other machines will not see them"
    waiting = sum(row.verb == "hold" and not row.attention for row in rows)
    if waiting and plan.pending:
        yield f"{pluralize(waiting, 'name')} on hold: not changed by this plan"

"""What a reviewer should look at first: a few lines about a plan, the worst before the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.plans.document import CancelDoc, CreateDoc, PlanDoc
from reconciler.render.plan_view import Row
from reconciler.text.plural import count

MOST: Final = 3
"""So many losses are named."""
NEAR: Final = 0.8
"""From this share of its limit on, a guard is worth a line."""


def look_first(plan: PlanDoc, rows: Sequence[Row]) -> list[str]:
    """Return the lines; none for a plan that holds no surprise."""
    return [*_refused(plan), *_lost(plan), *_large(plan), *_near(plan), *_half(plan, rows)]


def _refused(plan: PlanDoc) -> Iterator[str]:
    for guard in plan.guards:
        yield f"refused by {guard.guard}: {guard.message}; {guard.hint}"


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
    for lost, name, job in losses[:MOST]:
        total = max(job.total_requests, lost)
        yield f"{name}: {lost:,} of {total:,} answers are lost, and they are paid for"
    if len(losses) > MOST:
        yield f"{count(len(losses) - MOST, 'more job')} with answers that are lost"


def _large(plan: PlanDoc) -> Iterator[str]:
    creates = [(create, decision.name) for decision in plan.decisions for create in decision.of(CreateDoc)]
    unknown = [name for create, name in creates if create.requests is None]
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        yield f"nobody here knows how many requests {unknown[0]}{more} will buy"
    requests, name = max(((create.requests or 0, name) for create, name in creates), default=(0, ""))
    if len(creates) > 1 and requests * 2 > plan.summary.requests:
        yield f"{name} is most of what is bought: {requests:,} of {count(plan.summary.requests, 'request')}"


def _near(plan: PlanDoc) -> Iterator[str]:
    refusing = {guard.guard for guard in plan.guards}
    for it in plan.measures:
        if it.guard not in refusing and it.limit and NEAR * it.limit <= it.value <= it.limit and it.value:
            yield f"{it.guard} is nearly reached"


def _half(plan: PlanDoc, rows: Sequence[Row]) -> Iterator[str]:
    if plan.dirty:
        yield "made of files that are not committed: a run elsewhere will not see them so"
    waiting = sum(row.verb == "hold" and not row.attention for row in rows)
    if waiting and plan.pending:
        yield f"{count(waiting, 'name')} on hold: wanted, and not bought by this plan"

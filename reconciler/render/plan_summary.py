"""The words for a whole plan: its header, its verdict, its totals, and its highlights for a reviewer."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.plans.action_documents import CancelDoc, CreateDoc, KeepDoc
from reconciler.plans.document import DecisionDoc, ModelDoc, PlanDoc
from reconciler.plans.name_status import known_total
from reconciler.render.cost_view import cost_words
from reconciler.render.plan_view import BY_LEDGER, Row
from reconciler.text.plural import age, pluralize, size
from reconciler.text.sanitize import clean
from reconciler.text.suggest import some

MAX_MODELS: Final = 3
"""Maximum number of models whose requests are counted apart."""
MAX_NAMES: Final = 3
"""Maximum number of names beside a model."""
MAX_LISTED_LOSSES: Final = 3
"""Maximum number of losses listed."""


def header(plan: PlanDoc) -> str:
    """Return the plan's context: project, target, commit, and the number of jobs that were read."""
    where = "the sandbox, no charges" if plan.target.sandbox else plan.target.base_url.partition("://")[2]
    environment = f" (environment {plan.target.environment})" if plan.target.environment else ""
    parts = [f"{plan.target.project}{environment} on {where}"]
    if plan.commit:
        branch = f"{plan.branch}@" if plan.branch else ""
        parts.append(f"{branch}{plan.commit[:7]}, {'uncommitted changes' if plan.dirty else 'clean'}")
    if plan.policy:
        parts.append(f"policy {plan.policy.file} (sha256 {plan.policy.sha256[:12]})")
    place = snapshot_age(plan) or "the workspace"
    parts.append(f"{pluralize(plan.jobs_read, 'job')} in {place}, {plan.jobs_owned:,} from this project")
    return clean(" · ".join(parts))


def snapshot_age(plan: PlanDoc) -> str:
    """Return `a snapshot, 2 h 5 min old`, "" if the plan was made from the workspace itself."""
    if plan.observed_at is None:
        return ""
    try:
        now, then = (dt.datetime.fromisoformat(it) for it in (plan.created_at, plan.observed_at))
        return f"a snapshot, {age((now - then).total_seconds())} old"
    except (TypeError, ValueError):  # in a plan file that was edited
        return "a snapshot of unknown age"


def unchanged(kept: Sequence[DecisionDoc]) -> str:
    """Return the number of unchanged names by reason: `12 unchanged: 4 running, 8 succeeded`; "" for none."""
    if not kept:
        return ""
    quiet = [decision for decision in kept if decision.declared_at]
    reasons = Counter(decision.of(KeepDoc)[0].reason for decision in quiet)
    renamed = [f"{len(kept) - len(quiet):,} renamed"] if len(kept) > len(quiet) else []
    if not quiet:
        return renamed[0]
    by_reason = ", ".join(
        f"{number:,} {reason.replace('_', ' ')}" for reason, number in sorted(reasons.items())
    )
    reasons_text = "; ".join([by_reason, *renamed])
    noted = sum(len(decision.notes) for decision in quiet)
    return clean(f"{len(quiet):,} unchanged: {reasons_text}") + (
        f" ({pluralize(noted, 'note')})" if noted else ""
    )


def selection(plan: PlanDoc) -> str:
    """Return the size of a selection and of the rest, "" if everything is considered."""
    if plan.selected is None:
        return ""
    return (
        f"{pluralize(plan.selected, 'spec')} selected; {pluralize(plan.not_considered, 'job')} not considered"
    )


def verdict(plan: PlanDoc) -> str:
    """Return the plan in a line: `prod: would submit 300 requests (mistral-small-2603) · cancel 2`."""
    it = plan.summary
    counts = [
        f"{word} {number:,}" for number, word in ((it.replace, "replace"), (it.cancel, "cancel")) if number
    ]
    later = f"{it.again:,} to continue with a later apply" if it.again else ""
    would = " · ".join(filter(None, [submitted(plan), _cost(plan), *counts, _lost(plan)]))
    parts = filter(None, [held_back(plan), would and f"would {would}", later])
    return clean(f"{plan.target.project}: {' · '.join(parts) or 'no changes'}")


def held_back(plan: PlanDoc) -> str:
    """Return the guards that hold something back: `held back by max_cancels`, "" for none."""
    return f"held back by {', '.join(guard.guard for guard in plan.guards)}" if plan.guards else ""


def submitted(plan: PlanDoc) -> str:
    """Return what a plan submits: `submit 20 requests now, at most 40,000 in all (…)`, "" for nothing."""
    it = plan.summary
    unknown = f"{pluralize(it.requests_unknown, 'job')} of unknown size" if it.requests_unknown else ""
    later = f" now, at most {it.requests_in_all:,} in all" if it.requests_in_all > it.requests else ""
    known = f"{pluralize(it.requests, 'request')}{later}" if it.requests else ""
    requests_text = " and ".join(filter(None, [known, unknown]))
    return clean(f"submit {requests_text} ({_by_model(plan)})") if requests_text else ""


def _by_model(plan: PlanDoc) -> str:
    """Return the requests of each model or agent, the most first: `12,000 mistral-small-2603, 900 mistral-ocr-2512`."""
    requests: Counter[str] = Counter()
    for create in (it for decision in plan.decisions for it in decision.of(CreateDoc)):
        requests[create.answered_by] += create.requests or 0
    if len(requests) == 1:
        return next(iter(requests))
    parts = [f"{number:,} {model}" if number else model for model, number in requests.most_common(MAX_MODELS)]
    more = len(requests) - MAX_MODELS
    return ", ".join([*parts, *([f"{pluralize(more, 'more model')}"] if more > 0 else [])])


def uploads(plan: PlanDoc) -> str:
    """Return how much a plan uploads at most: `upload up to 3 MB`, "" for nothing, or if only parts are uploaded."""
    parts = sum(create.of is not None for decision in plan.decisions for create in decision.of(CreateDoc))
    more = f" and {pluralize(parts, 'part')}" if parts else ""
    return f"upload up to {size(plan.summary.upload_bytes)}{more}" if plan.summary.upload_bytes else ""


def _cost(plan: PlanDoc) -> str:
    """Return what a plan costs: `cost ≈ $0.42 (0.36 to 0.51, at most $0.60)`, "" for nothing."""
    it = plan.summary
    unknown = f" and {pluralize(it.cost_unknown, 'job')} of unknown cost" if it.cost_unknown else ""
    return f"cost {cost_words(it.cost)}{unknown}" if it.cost else "cost ?" if unknown else ""


def _lost(plan: PlanDoc) -> str:
    return f"lose {pluralize(plan.summary.lost_answers, 'answer')}" if plan.summary.lost_answers else ""


def totals(plan: PlanDoc) -> str:
    """Return the plan in numbers: `1 to create · would submit 900 requests (mistral-small-2603)`."""
    it = plan.summary
    done = [
        f"{number:,} {word}"
        for number, word in (
            (it.create, "to create"),
            (it.replace, "to replace"),
            (it.cancel, "to cancel"),
            (it.hold, "on hold"),
            (it.again, "to continue with a later apply"),
        )
        if number
    ]
    effects = ", ".join(filter(None, [submitted(plan), _cost(plan), uploads(plan), _lost(plan)]))
    return " · ".join(filter(None, [", ".join(done), effects and f"would {effects}"]))


def review_highlights(plan: PlanDoc, rows: Sequence[Row]) -> list[str]:
    """Return what a reviewer should see first, the most important first; [] if nothing is remarkable."""
    doubted = (f"{line}: {hint}" for line, hint in model_warnings(plan))
    found = (refusals(plan), doubted, _by_ledger(rows), _losses(plan), _large(plan))
    return [*(line for lines in found for line in lines), *_half_of_a_spec(plan, rows)]


def model_warnings(plan: PlanDoc) -> list[tuple[str, str]]:
    """Return a line for each warning about a model, and what to do."""
    return [(model_line(it), clean(it.hint)) for it in plan.models if it.warning]


def model_notes(plan: PlanDoc) -> list[str]:
    """Return a line for each note about a model."""
    return [model_line(it) for it in plan.models if not it.warning]


def model_line(it: ModelDoc) -> str:
    """Return a model, what is to be said about it, and the jobs that it concerns."""
    return clean(f"`{it.model}` {it.message} ({some(it.names, MAX_NAMES)})")


def refusals(plan: PlanDoc) -> Iterator[str]:
    """Yield a line for each guard that holds something back: its number, and the next step."""
    for guard in plan.guards:
        yield f"held back by {guard.guard}: {guard.message}; {guard.hint}"


def _by_ledger(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for says in (fact for fact in row.why if row.pending and fact.startswith(BY_LEDGER)):
            yield f"{row.name}: submitted only {says}; anyone who may push to the ledger can write that"


def _losses(plan: PlanDoc) -> Iterator[str]:
    losses = sorted(
        (
            (cancel.lost, decision.name, cancel.job)
            for decision in plan.decisions
            for cancel in decision.of(CancelDoc)
            if cancel.lost
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
    waiting = sum(row.verb in ("wait", "hold") and not row.attention for row in rows)
    if waiting and plan.pending:
        yield f"{pluralize(waiting, 'name')} on hold: not changed by this plan"

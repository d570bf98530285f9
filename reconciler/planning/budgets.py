"""Budgets: guards on the requests that a plan submits, with the parts that follow without another plan. Pure.

In order of name, specs go as long as they fit, and a spec that does not fit is held back. A family is created whole or
not at all, so that repeated runs do not create it part by part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from reconciler.planning.actions import Create
from reconciler.planning.guard_input import GuardInput, Refusal, above, counted
from reconciler.text.plural import pluralize


def new_requests(it: GuardInput) -> Refusal | None:
    """Refuse to submit more requests than a budget; a job of unknown size exceeds it."""
    limit, guard = it.settings.max_new_requests, "max_new_requests"
    unknown = sum(create.requests is None for create in it.plan.of(Create))
    message = _submits(it)
    if limit is None or not unknown:
        return above(guard, it.requests, limit, message)
    message += f" and {pluralize(unknown, 'job')} of unknown size, more than {limit:,}"
    return Refusal(guard, message, "pass --max-new-requests none, or set guards.max_new_requests to null")


def requests_per_day(it: GuardInput) -> Refusal | None:
    """Refuse to submit more within 24 hours than a limit, whichever runner submitted it: the list shows all."""
    if not it.requests:
        return None
    message = f"{_submits(it)} after {it.submitted_today:,} in the last 24 hours"
    number = it.submitted_today + it.requests
    return above("max_requests_per_day", number, it.settings.max_requests_per_day, message)


def _submits(it: GuardInput) -> str:
    later = any(create.part and create.part.held for create in it.plan.of(Create))
    return f"the plan submits {pluralize(it.requests, 'request')}{' in all' if later else ''}"


BUDGETS: Final[tuple[Callable[[GuardInput], Refusal | None], ...]] = (new_requests, requests_per_day)


def budgets(it: GuardInput) -> tuple[Refusal, ...]:
    """Return the refusals of budgets, with the names that each holds back."""
    over = _over_budget(it)
    found = (refusal for budget in BUDGETS if (refusal := budget(it)))
    return tuple(
        replace(refusal, held=tuple(over[refusal.guard])) for refusal in found if refusal.guard in over
    )


def _over_budget(it: GuardInput) -> Mapping[str, list[str]]:
    """Return, for each budget, the names whose creates it holds back: a family is created whole or not at all."""
    given, held = it.settings, defaultdict[str, list[str]](list)
    day = given.max_requests_per_day
    room = {
        "max_new_requests": given.max_new_requests,
        "max_requests_per_day": None if day is None else max(0, day - it.submitted_today),
    }
    counts_by_name = counted(it.plan, it.observed)
    creates: dict[object, list[Create]] = defaultdict(list)
    for create in it.plan.of(Create):
        spec = create.spec
        creates[(str(spec.declared_at), spec.family) if spec.family else spec.name].append(create)
    for several in creates.values():
        counts = [counts_by_name[create.spec.name] for create in several]
        requests = sum(count or 0 for count in counts)
        unknown = {"max_new_requests"} if None in counts else ()
        over = [
            guard
            for guard, left in room.items()
            if left is not None and (requests > left or guard in unknown)
        ]
        for guard in over:
            held[guard] += [create.spec.name for create in several]
        if not over:
            room = {guard: None if left is None else left - requests for guard, left in room.items()}
    return held

"""Budgets: guards on the requests that a plan submits and on what they cost, with the parts that follow. Pure.

In order of name, specs go as long as they fit, and a spec that does not fit is held back. A family is created whole or
not at all, so that repeated runs do not create it part by part.

Costs are upper bounds. `max_cost` counts all that may follow from a plan without another one; the budgets of a day and
of a month count what each create reserves. A create whose bound is not known fits into none of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.inputs import elsewhere
from reconciler.model.money import decimals, micros
from reconciler.planning.actions import Create
from reconciler.planning.guard_input import GuardInput, Refusal, counted
from reconciler.planning.spending import Expense
from reconciler.text.money import money
from reconciler.text.plural import pluralize
from reconciler.text.suggest import some

MAX_NAMED: Final = 3
"""Jobs and creates that a message names."""


class Budget(Struct, frozen=True, kw_only=True):
    """A limit that is set."""

    left: int
    """What creates may still add."""
    amounts: Mapping[str, int | None]
    """What each create adds, by name; None if it is not known."""
    admits_unknown: bool = False
    refusal: Refusal
    """The refusal of a create that does not fit."""


def budgets(over: GuardInput) -> tuple[Refusal, ...]:
    """Return the refusals of budgets, with the names that each holds back."""
    given = tuple(budget for limit in BUDGETS if (budget := limit(over)))
    held = _over_budget(over.plan.of(Create), given)
    refusals = (budget.refusal for budget in given)
    return tuple(replace(it, held=tuple(held[it.guard])) for it in refusals if it.guard in held)


def _over_budget(creates: Sequence[Create], given: Sequence[Budget]) -> Mapping[str, list[str]]:
    """Return, for each budget, the names whose creates it holds back: a family is created whole or not at all."""
    held = defaultdict[str, list[str]](list)
    left = {budget.refusal.guard: budget.left for budget in given}
    families: dict[object, list[str]] = defaultdict(list)
    for create in creates:
        spec = create.spec
        families[(str(spec.declared_at), spec.family) if spec.family else spec.name].append(spec.name)
    for names in families.values():
        adds, over = dict[str, int](), []
        for budget in given:
            guard, amounts = budget.refusal.guard, [budget.amounts[name] for name in names]
            adds[guard] = sum(filter(None, amounts))
            if adds[guard] > left[guard] or (None in amounts and not budget.admits_unknown):
                over.append(guard)
        for guard in over:
            held[guard] += names
        if not over:
            left = {guard: room - adds[guard] for guard, room in left.items()}
    return held


def new_requests(it: GuardInput) -> Budget | None:
    """Return the budget of requests in one plan; a job of unknown size exceeds it."""
    limit, guard = it.settings.max_new_requests, "max_new_requests"
    if limit is None:
        return None
    message, hint = _submits(it), f"pass --max-new-requests {it.requests}, or raise guards.{guard}"
    if unknown := sum(create.requests is None for create in it.plan.of(Create)):
        message += f" and {pluralize(unknown, 'job')} of unknown size"
        hint = f"pass --max-new-requests none, or set guards.{guard} to null"
        if any(elsewhere(create.spec.inputs) for create in it.plan.of(Create)):
            hint = f"declare `requests` beside each `uri`, or {hint}"
    refusal = Refusal(guard, f"{message}, more than {limit:,}", hint)
    return Budget(left=limit, amounts=counted(it.plan, it.observed), refusal=refusal)


def requests_per_day(it: GuardInput) -> Budget | None:
    """Return the budget of requests within 24 hours, whichever runner submitted them: the list shows all."""
    limit, before = it.settings.max_requests_per_day, it.submitted_today
    if limit is None:
        return None
    message = f"{_submits(it)} after {before:,} in the last 24 hours, more than {limit:,}"
    hint = f"pass --max-requests-per-day {before + it.requests}, or raise guards.max_requests_per_day"
    refusal = Refusal("max_requests_per_day", message, hint)
    counts = counted(it.plan, it.observed)
    return Budget(left=max(0, limit - before), amounts=counts, admits_unknown=True, refusal=refusal)


def _submits(it: GuardInput) -> str:
    return f"the plan submits {pluralize(it.requests, 'request')}{_with_later_parts(it)}"


def _with_later_parts(it: GuardInput) -> str:
    return " in all" if any(create.part and create.part.held for create in it.plan.of(Create)) else ""


def cost(it: GuardInput) -> Budget | None:
    """Return the budget of what one plan costs, with the parts that follow."""
    counts = counted(it.plan, it.observed)
    amounts = {create.spec.name: _in_all(create, counts[create.spec.name]) for create in it.plan.of(Create)}
    return _of_costs(it, "max_cost", amounts, when=_with_later_parts(it))


def _in_all(create: Create, counts: int | None) -> int | None:
    """Return the most that a create and its later parts cost, without the share that counted with the job before."""
    if create.estimate is None or create.estimate.in_all is None:
        return None
    if not create.in_all or counts is None:
        return create.estimate.in_all
    return -(-create.estimate.in_all * counts // create.in_all)


def cost_per_day(it: GuardInput) -> Budget | None:
    """Return the budget of what jobs cost within 24 hours."""
    expenses = it.spending.day
    return _of_costs(it, "max_cost_per_day", _reserved(it), when=" in the last 24 hours", expenses=expenses)


def cost_per_month(it: GuardInput) -> Budget | None:
    """Return the budget of what jobs cost in a calendar month."""
    expenses = it.spending.month
    return _of_costs(it, "max_cost_per_month", _reserved(it), when=" this month", expenses=expenses)


def _reserved(it: GuardInput) -> Mapping[str, int | None]:
    return {each.spec.name: each.estimate.at_most if each.estimate else None for each in it.plan.of(Create)}


def _of_costs(
    it: GuardInput,
    guard: str,
    amounts: Mapping[str, int | None],
    *,
    when: str,
    expenses: Sequence[Expense] = (),
) -> Budget | None:
    """Return the budget of a guard if it is set. `expenses` is what counts beside the plan, `when` the words for it."""
    if (given := getattr(it.settings, guard)) is None:
        return None
    limit, show = micros(given), partial(money, currency=it.currency, at_most=True)
    before, adds = sum(each.micros or 0 for each in expenses), sum(filter(None, amounts.values()))
    creates = [create for create in it.plan.of(Create) if amounts[create.spec.name] is None]
    unknown = [each.job for each in expenses if each.micros is None]
    if creates or unknown:
        names = [create.spec.name for create in creates]
        message = f"what {some([*names, *unknown], MAX_NAMED)} can cost is not known"
        enough, fix = "none", f"set guards.{guard} to null"
    else:
        after = f" after {show(before)}" if expenses else ""
        message = f"the plan costs at most {show(adds)}{after}{when}, more than {show(limit)}"
        enough, fix = decimals(before + adds), f"raise guards.{guard}"
    gaps = [gap for create in creates if create.estimate for gap in create.estimate.gaps]
    waiting = sorted(
        (each for each in expenses if each.reserved), key=lambda each: (-(each.micros or 0), each.job)
    )
    for each in waiting[:MAX_NAMED]:
        if each.micros:
            message += f"; {each.job} counts as {show(each.micros)} until {each.until}"
    pull = sorted({each.name for each in waiting if each.ended})[:MAX_NAMED]
    hints = (
        *gaps[:1],
        *([f"pull results: reconciler outputs pull {' '.join(pull)}"] if pull else ()),
        f"pass --{guard.replace('_', '-')} {enough}, or {fix}",
    )
    left = 0 if unknown else max(0, limit - before)
    return Budget(left=left, amounts=amounts, refusal=Refusal(guard, message, "; or ".join(hints)))


BUDGETS: Final[tuple[Callable[[GuardInput], Budget | None], ...]] = (
    new_requests,
    requests_per_day,
    cost,
    cost_per_day,
    cost_per_month,
)

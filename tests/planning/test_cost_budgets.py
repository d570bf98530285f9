"""Budgets of costs: what counts, for how long, and which creates fit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.ledger.lines import (
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Line,
    UsageSeen,
)
from reconciler.model import Job, JobSpec, Observed, tags
from reconciler.model.money import Estimate, Usage, decimals, micros
from reconciler.planning.actions import Create, Plan
from reconciler.planning.guard_input import GuardInput, Refusal
from reconciler.planning.guards import refusals
from reconciler.planning.hold_back import hold_back
from reconciler.planning.planner import plan
from reconciler.planning.spending import Spending, spending
from reconciler.settings import Guards
from reconciler.text.timestamps import month_began
from tests.helpers.make import (
    FAILED,
    NOW,
    SUCCEEDED,
    broken,
    created,
    declared,
    intended,
    job,
    memory,
    op_of,
    seen,
    spec,
    untagged,
)

A = spec("a")
DAY = 86_400
SETTLE = 60
"""That of `memory`."""
PRICE = 2
"""Micros for a token out."""


def reserving(of: JobSpec, job_id: str, most: int | None, *, age: int = 600, currency: str = "USD") -> Job:
    """A job with a reservation in its tags."""
    plain = job(of, job_id, SUCCEEDED, age=age)
    word = "" if most is None else f" most={most}{currency}"
    return structs.replace(plain, metadata={**plain.metadata, tags.RUN: f"{plain.metadata[tags.RUN]}{word}"})


def used(job_id: str, tokens: int, *, incomplete: int = 0, at: float = NOW) -> UsageSeen:
    usage = Usage(answers=1, completion=tokens, incomplete=incomplete)
    return UsageSeen(at=at, run_id="r2", job_id=job_id, name="a", model="m", usage=usage)


def cost(line: UsageSeen, at: int) -> int | None:
    assert at > 0
    return None if line.model != "m" or line.usage.incomplete else line.usage.completion * PRICE


def spent(observed: Observed, *lines: Line, now: float = NOW) -> Spending:
    return spending(
        structs.replace(observed, read_started_at=now),
        memory(*lines),
        cost_of=cost,
        currency="USD",
        now=now,
        month_began=month_began(now - SETTLE),
    )


def day(*jobs: Job, lines: tuple[Line, ...] = (), now: float = NOW) -> list[tuple[str, int | None]]:
    """Return what counts for a day."""
    return [(it.job_id, it.micros) for it in spent(seen([A], *jobs), *lines, now=now).day]


NEW = structs.replace(intended(A, "0" * 8), most=7)
CLAIM = structs.replace(NEW, lease=900.0)


def confirmed(job_id: str, most: int | None, *, age: int = 600) -> CreateConfirmed:
    return structs.replace(created(A, job_id, at=NOW - age), most=most)


def test_nothing_counts_in_an_empty_workspace() -> None:
    assert spent(Observed()) == Spending()


def test_a_job_counts_with_its_reservation_until_its_usage_is_known() -> None:
    mine = reserving(A, "j1", 50)
    assert day(mine) == [("j1", 50)]
    assert day(mine, lines=(used("j1", 4),)) == [("j1", 8)]


@pytest.mark.parametrize("line", [used("j1", 4, incomplete=1), structs.replace(used("j1", 4), model="other")])
def test_usage_that_is_a_lower_bound_or_has_no_price_leaves_the_reservation(line: UsageSeen) -> None:
    assert day(reserving(A, "j1", 50), lines=(line,)) == [("j1", 50)]


def test_of_two_lines_about_the_usage_of_a_job_the_one_with_more_answers_counts() -> None:
    whole, forged = used("j1", 4), structs.replace(used("j1", 1, at=NOW + 1), usage=Usage(completion=1))
    for lines in ((whole, forged), (forged, whole)):
        assert day(reserving(A, "j1", 50), lines=lines) == [("j1", 8)]


@pytest.mark.parametrize(
    "mine", [reserving(A, "j1", None), reserving(A, "j1", 50, currency="EUR"), broken(A, "j1", SUCCEEDED)]
)
def test_a_job_without_a_reservation_in_this_currency_is_not_known(mine: Job) -> None:
    assert day(mine) == [("j1", None)]
    assert day(mine, lines=(used("j1", 4),)) == [("j1", 8)]


def test_a_job_whose_tags_were_damaged_counts_with_what_the_ledger_knows() -> None:
    assert day(broken(A, "j1", SUCCEEDED), lines=(confirmed("j1", 9),)) == [("j1", 9)]


def test_a_job_of_which_nothing_can_be_read_counts_now_or_when_the_ledger_saw_it_created() -> None:
    odd = structs.replace(broken(A, "j1", SUCCEEDED), created_at=0)
    assert day(odd) == [("j1", None)]
    assert day(odd, lines=(confirmed("j1", 9),)) == [("j1", 9)]
    assert day(odd, lines=(confirmed("j1", 9),), now=NOW + 2 * DAY) == []


def test_a_job_whose_record_is_gone_still_counts() -> None:
    assert day(lines=(confirmed("j1", 9),)) == [("j1", 9)]
    assert day(lines=(confirmed("j1", 9), used("j1", 1))) == [("j1", 2)]


def test_an_adopted_job_and_jobs_of_others_do_not_count() -> None:
    mine = structs.replace(A, adopt=None)
    theirs = job(A, "j2", project="other")
    assert [it.job_id for it in spent(seen([mine], untagged(A, "j1"), theirs)).day] == []


@pytest.mark.parametrize(("age", "counts"), [(DAY + SETTLE - 1, True), (DAY + SETTLE, False)])
def test_a_day_is_the_last_24_hours_and_the_settle_time_by_which_clocks_differ(
    age: int, *, counts: bool
) -> None:
    assert (day(reserving(A, "j1", 5, age=age)) != []) == counts


def moment(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("created_at", "now", "counts"),
    [
        ("2026-11-01T00:00:00", "2026-11-30T23:59:59", True),
        ("2026-10-31T23:59:59", "2026-11-30T23:59:59", False),
        ("2026-11-30T23:59:00", "2026-12-01T00:00:59", True),
        ("2026-11-30T23:59:00", "2026-12-01T00:01:00", False),
        ("2026-12-31T12:00:00", "2027-01-01T12:00:00", False),
    ],
)
def test_a_month_is_a_calendar_month_in_utc(created_at: str, now: str, *, counts: bool) -> None:
    mine = structs.replace(reserving(A, "j1", 5), created_at=int(moment(created_at)))
    assert (spent(seen([A], mine), now=moment(now)).month != ()) == counts


# A create whose outcome is not known.


@pytest.mark.parametrize(
    ("lines", "now", "counts"),
    [
        ((NEW,), NOW + SETTLE - 1, True),
        ((NEW,), NOW + SETTLE, False),
        ((CLAIM,), NOW + 900 + SETTLE - 1, True),
        ((CLAIM,), NOW + 900 + SETTLE, False),
        ((CLAIM, CreateRefused(at=NOW, run_id="r1", op=NEW.op, error="422")), NOW, False),
        ((CLAIM, CreateUnknown(at=NOW + 9, run_id="r1", op=NEW.op, error="502")), NOW + 9 + SETTLE - 1, True),
        ((CLAIM, CreateUnknown(at=NOW + 9, run_id="r1", op=NEW.op, error="502")), NOW + 9 + SETTLE, False),
    ],
)
def test_a_reservation_ends_with_a_refusal_or_when_its_create_has_settled(
    lines: tuple[Line, ...], now: float, *, counts: bool
) -> None:
    assert day(lines=lines, now=now) == [("", 7)] * counts


def test_a_create_in_doubt_counts_once_whatever_shows_its_job() -> None:
    mine = reserving(A, "j1", 7)
    line = structs.replace(CLAIM, op=op_of("j1"))
    assert day(mine, lines=(line,)) == [("j1", 7)]
    assert day(lines=(line, confirmed("j1", 7))) == [("j1", 7)]
    assert day(mine, lines=(line, confirmed("j1", 7))) == [("j1", 7)]


def test_a_create_in_doubt_that_reserves_nothing_is_not_known() -> None:
    assert day(lines=(intended(A, "0" * 8),)) == [("", None)]


# Which creates fit.


def proposal(
    bounds: Mapping[str, int | None], settings: Guards, *jobs: Job, lines: tuple[Line, ...] = ()
) -> GuardInput:
    """A plan that creates a job for each name, which can cost so much."""
    specs = tuple(spec(name, f"w-{name}") for name in bounds)
    asked, observed = declared(*specs), structs.replace(seen(specs, *jobs), read_started_at=NOW)
    remembered = memory(*lines)
    decided = plan(asked, observed, remembered, now=NOW)
    estimates = {
        name: Estimate(at_most=most, in_all=most, gaps=() if most is not None else (f"no price of {name}",))
        for name, most in bounds.items()
    }
    decisions = (
        structs.replace(
            it, actions=tuple(structs.replace(act, estimate=estimates[it.name]) for act in it.of(Create))
        )
        for it in decided.decisions
    )
    return GuardInput(
        plan=structs.replace(decided, decisions=tuple(decisions)),
        declared=asked,
        observed=observed,
        memory=remembered,
        settings=settings,
        now=NOW,
        spending=spending(
            observed, remembered, cost_of=cost, currency="USD", now=NOW, month_began=month_began(NOW)
        ),
    )


def let_go(it: GuardInput) -> list[str]:
    left: Plan = hold_back(it.plan, refusals(it))
    return [create.spec.name for create in left.of(Create)]


def only(it: GuardInput) -> Refusal:
    (refusal,) = refusals(it)
    return refusal


def test_a_plan_that_costs_at_most_its_budget_is_not_refused() -> None:
    assert let_go(proposal({"a": 3_000_000, "b": 2_000_000}, Guards(max_cost=5.0))) == ["a", "b"]


def test_a_create_that_does_not_fit_is_held_and_the_next_one_may_still_go() -> None:
    it = proposal({"a": 3_000_000, "b": 2_500_000, "c": 2_000_000}, Guards(max_cost=5.0))
    assert let_go(it) == ["a", "c"]
    assert only(it) == Refusal(
        "max_cost",
        "the plan costs at most $7.50, more than $5.00",
        "pass --max-cost 7.50, or raise guards.max_cost",
        ("b",),
    )


def test_a_day_and_a_month_name_the_jobs_that_were_never_pulled() -> None:
    old = spec("reviews", "w-old")
    job_id = "8c9768d1-0000"
    it = proposal({"a": 3_000_000}, Guards(max_cost_per_day=14.0), reserving(old, job_id, 12_000_000))
    assert only(it) == Refusal(
        "max_cost_per_day",
        "the plan costs at most $3.00 after $12.00 in the last 24 hours, more than $14.00; "
        "reviews 8c9768d1 counts as $12.00 until its results are pulled",
        "pull results: reconciler outputs pull reviews; "
        "or pass --max-cost-per-day 15.00, or raise guards.max_cost_per_day",
        ("a",),
    )
    pulled = (used(job_id, 1_000_000),)
    assert let_go(proposal({"a": 3_000_000}, Guards(max_cost_per_day=14.0), lines=pulled)) == ["a"]


def test_a_bound_that_is_not_known_fits_into_no_budget_and_its_gap_is_the_hint() -> None:
    for guard in ("max_cost", "max_cost_per_day", "max_cost_per_month"):
        it = proposal({"a": None, "b": 1}, structs.replace(Guards(), **{guard: 5.0}))
        assert let_go(it) == ["b"]
        assert only(it).message == "what a can cost is not known"
        assert (
            only(it).hint
            == f"no price of a; or pass --{guard.replace('_', '-')} none, or set guards.{guard} to null"
        )


def test_a_job_of_unknown_cost_lets_only_free_creates_go() -> None:
    it = proposal({"a": 0, "b": 1}, Guards(max_cost_per_month=5.0), job(A, "j1", FAILED, age=90))
    assert let_go(it) == ["a"]
    assert only(it).message == "what a j1 can cost is not known"


def test_without_a_budget_nothing_is_refused() -> None:
    assert let_go(proposal({"a": None, "b": 10**15}, Guards())) == ["a", "b"]


amounts = st.none() | st.integers(0, 20)
ages = st.sampled_from((0, 600, DAY, DAY + SETTLE, 40 * DAY))


@given(
    bounds=st.dictionaries(st.sampled_from("abcdef"), amounts, min_size=1),
    jobs=st.lists(st.tuples(amounts, ages, st.none() | st.integers(0, 8)), max_size=4),
    doubts=st.lists(st.tuples(amounts, st.sampled_from((0, SETTLE - 1, SETTLE))), max_size=3),
    limits=st.fixed_dictionaries(
        dict.fromkeys(
            ("max_cost", "max_cost_per_day", "max_cost_per_month"), st.none() | st.sampled_from((0, 10, 30))
        )
    ),
)
def test_what_goes_fits_and_what_is_held_does_not(
    bounds: dict[str, int | None],
    jobs: list[tuple[int | None, int, int | None]],
    doubts: list[tuple[int | None, int]],
    limits: dict[str, int | None],
) -> None:
    """From the descriptions of the settings alone."""
    old = spec("old", "w-old")
    there = [reserving(old, f"j{at}", most, age=age) for at, (most, age, _) in enumerate(jobs)]
    lines: list[Line] = [
        used(f"j{at}", tokens) for at, (_, _, tokens) in enumerate(jobs) if tokens is not None
    ]
    lines += [
        CreateIntended(
            at=NOW - age,
            run_id="r",
            op=f"doubt-{at}",
            name="x",
            work="v1:x",
            rerun="",
            attempt=1,
            reason="",
            most=most,
        )
        for at, (most, age) in enumerate(doubts)
    ]
    given = {name: None if most is None else most / 1_000_000 for name, most in limits.items()}
    settings = structs.replace(Guards(), **given)
    left = set(let_go(proposal(bounds, settings, *there, lines=tuple(lines))))
    costs = [(most if tokens is None else tokens * PRICE, age) for (most, age, tokens) in jobs] + [
        (most, 0) for most, age in doubts if age < SETTLE
    ]
    month = {age for age in (0, 600, DAY, DAY + SETTLE, 40 * DAY) if NOW - age >= month_began(NOW)}
    counted: dict[str, list[int | None]] = {
        "max_cost": [],
        "max_cost_per_day": [it for it, age in costs if age < DAY + SETTLE],
        "max_cost_per_month": [it for it, age in costs if age in month],
    }
    room = {}
    for guard, limit in limits.items():
        if limit is not None:
            before = counted[guard]
            room[guard] = 0 if None in before else max(0, limit - sum(it or 0 for it in before))
    for name in sorted(bounds):
        most = bounds[name]
        may = not room or (most is not None and all(most <= free for free in room.values()))
        assert (name in left) == may
        if may and most is not None:
            room = {guard: free - most for guard, free in room.items()}


def test_amounts_are_rounded_against_the_reader() -> None:
    assert micros(0.1) == 100_000
    assert micros(0.123_456_7) == 123_456
    assert decimals(12_400_001) == "12.41"

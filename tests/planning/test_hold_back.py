"""What guards hold back: nothing that exceeds a limit is done, and everything else is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.ledger.lines import Line
from reconciler.model import Checkout, Job, JobSpec, Phase
from reconciler.planning.actions import Cancel, Create, Hold, Keep, Plan, Reason
from reconciler.planning.guard_input import Approved, GuardInput
from reconciler.planning.guards import refusals
from reconciler.planning.hold_back import hold_back
from reconciler.planning.planner import plan
from reconciler.planning.standing import Standing
from reconciler.settings import ApplyFrom, Guards
from tests.helpers.make import NOW, SUCCEEDED, created, declared, file_of, hidden, job, memory, seen, spec
from tests.helpers.worlds import World, worlds

GENEROUS = Guards(
    max_cancels=10**6,
    max_cancel_share=1.0,
    max_lost_answers=10**9,
    allow_empty=True,
    allow_other_workspace=True,
    allow_created_elsewhere=True,
    allow_other_branch=True,
    allow_dirty=True,
    allow_unpushed=True,
)
STRICT = ApplyFrom(only_from=("main", "release-*"), clean=True, pushed=True)


def given_to(it: World, settings: Guards, checkout: Checkout | None = None) -> GuardInput:
    return GuardInput(
        plan=it.plan(),
        declared=declared(*it.specs, contained_commits=it.contained_commits),
        observed=it.observed,
        memory=memory(*it.lines),
        settings=settings,
        now=NOW,
        apply_from=ApplyFrom() if checkout is None else STRICT,
        checkout=checkout or Checkout(),
    )


def cancels(of: Plan) -> list[Cancel]:
    return [cancel for cancel in of.of(Cancel) if cancel.duplicate_of is None]


def exceeded(it: GuardInput, left: Plan) -> set[str]:
    """The limits that a plan exceeds, from their descriptions in the settings alone."""
    limits, observed = it.settings, it.observed
    ours = {job.id for job in observed.our_jobs}
    active = sum(owned.phase is Phase.ACTIVE for owned in observed.owned)
    number = len(cancels(left))
    sizes = [create.spec.requests for create in left.of(Create)]
    known = sum(size or 0 for size in sizes)
    today = sum(own.requests or 0 for own in observed.owned if own.job.created_at > NOW - 86_400)
    elsewhere = {
        (other.run_key.work, other.run_key.rerun)
        for other in observed.other_projects
        if other.job.phase in (Phase.ACTIVE, Phase.SUCCEEDED, Phase.UNKNOWN)
    }
    over = {
        "empty": not limits.allow_empty and not it.declared.specs and number > 0,
        "max_cancels": number > limits.max_cancels,
        "max_cancel_share": number >= 3 and number > active * limits.max_cancel_share,
        "max_lost_answers": sum(it.owned.job.answers for it in cancels(left)) > limits.max_lost_answers,
        "max_new_requests": limits.max_new_requests is not None
        and (known > limits.max_new_requests or None in sizes),
        "max_requests_per_day": limits.max_requests_per_day is not None
        and known > 0
        and today + known > limits.max_requests_per_day,
        "other_workspace": not limits.allow_other_workspace
        and left.pending
        and not it.memory.jobs.keys() & ours
        and any(
            known.at <= observed.read_started_at - it.memory.settle_seconds or job_id in observed.missing_ids
            for job_id, known in it.memory.jobs.items()
        ),
        "created_elsewhere": not limits.allow_created_elsewhere
        and any(create.spec.run_key in elsewhere for create in left.of(Create)),
        "other_branch": not limits.allow_other_branch
        and it.apply_from == STRICT
        and not it.checkout.branch.startswith(("main", "release-"))
        and bool(left.of(Create)),
        "dirty": not limits.allow_dirty
        and it.apply_from == STRICT
        and any(
            f"{path}/".startswith(f"{changed}/")
            for create in left.of(Create)
            for path in (*create.spec.files, "reconciler.yaml")
            for changed in it.checkout.uncommitted
        ),
        "unpushed": not limits.allow_unpushed
        and it.apply_from == STRICT
        and not it.checkout.pushed
        and bool(left.of(Create)),
    }
    return {guard for guard, broken in over.items() if broken}


def guards() -> st.SearchStrategy[Guards]:
    return st.builds(
        Guards,
        max_cancels=st.integers(0, 3),
        max_cancel_share=st.sampled_from((0.0, 0.5, 1.0)),
        max_new_requests=st.sampled_from((None, 0, 10, 20)),
        max_requests_per_day=st.sampled_from((None, None, 0, 20, 60)),
        max_lost_answers=st.sampled_from((0, 3, 10_000)),
        allow_empty=st.booleans(),
        allow_other_workspace=st.booleans(),
        allow_created_elsewhere=st.booleans(),
        allow_other_branch=st.booleans(),
        allow_dirty=st.booleans(),
        allow_unpushed=st.booleans(),
    )


def checkouts() -> st.SearchStrategy[Checkout | None]:
    paths = st.sampled_from(("specs/a.yaml", "specs/b.yaml", "reconciler.yaml", "README.md"))
    known = st.builds(
        Checkout,
        commit=st.just("c" * 40),
        branch=st.sampled_from(("main", "release-1", "topic", "")),
        uncommitted=st.frozensets(paths, max_size=2),
        pushed=st.booleans(),
    )
    return st.none() | known


@given(worlds(), guards(), checkouts())
def test_nothing_that_is_done_exceeds_a_limit(
    world: World, settings: Guards, checkout: Checkout | None
) -> None:
    it = given_to(world, settings, checkout)
    found = refusals(it)
    left = hold_back(it.plan, found)
    event(f"held: {bool(found)}, done: {left.pending}")
    assert exceeded(it, left) == set()
    assert {refusal.guard for refusal in found} <= exceeded(it, it.plan)
    assert refusals(structs.replace(it, plan=left)) == (), "a plan of what is left is not refused"


@given(worlds(), guards(), checkouts())
def test_what_no_guard_refuses_is_done(world: World, settings: Guards, checkout: Checkout | None) -> None:
    it = given_to(world, settings, checkout)
    found = refusals(it)
    held = {name for refusal in found for name in refusal.held}
    for before, after in zip(it.plan.decisions, hold_back(it.plan, found).decisions, strict=True):
        if before.name not in held:
            assert after == before
            continue
        assert before.pending
        assert not after.of(Create)
        assert all(cancel.duplicate_of for cancel in after.of(Cancel))
        assert any(isinstance(action, Hold) and action.reason is Reason.HELD_BACK for action in after.actions)
        assert (after.standing is Standing.HELD_BACK) == bool(before.of(Create))
        if before.of(Create):
            replaced = {cancel.owned.job.id for cancel in before.of(Cancel) if not cancel.duplicate_of}
            assert replaced <= {keep.job.id for keep in after.of(Keep) if keep.job} or not after.pending


@given(worlds(), checkouts())
def test_without_limits_nothing_is_held_back(world: World, checkout: Checkout | None) -> None:
    it = given_to(world, GENEROUS, checkout)
    assert refusals(it) == ()
    assert hold_back(it.plan, ()) == it.plan


@given(worlds(), guards(), st.randoms())
def test_guards_decide_the_same_twice_and_whatever_the_order_of_jobs(
    world: World, settings: Guards, random: Random
) -> None:
    jobs = random.sample(world.jobs, len(world.jobs))
    again = given_to(replace(world, jobs=tuple(jobs)), settings)
    assert refusals(given_to(world, settings)) == refusals(again)


# Each guard: what it counts is held, the rest is done, and without the guard the limit is exceeded.

FREE = spec("free", "w7")
OLD = tuple(job(spec(f"old{at}", f"o{at}"), f"old{at}", completed_requests=at) for at in range(4))
TWINS = (job(spec("twin", "t"), "t1"), job(spec("twin", "t"), "t2"))
TWIN = spec("twin", "t")


def situation(
    *jobs: Job, specs: tuple[JobSpec, ...] = (FREE, TWIN), lines: tuple[Line, ...] = (), **limits: object
) -> GuardInput:
    asked, remembered = declared(*specs), memory(*lines)
    observed = structs.replace(seen(specs, *TWINS, *jobs), read_started_at=NOW)
    return GuardInput(
        plan=plan(asked, observed, remembered, now=NOW),
        declared=asked,
        observed=observed,
        memory=remembered,
        settings=structs.replace(GENEROUS, **limits),
        now=NOW,
    )


def from_checkout(guard: str, **differs: object) -> GuardInput:
    """One new job and one removal, from a checkout that breaks one rule."""
    here = structs.replace(Checkout(commit="c" * 40, branch="release-2", pushed=True), **differs)
    it = situation(OLD[0], specs=(FREE, spec("other", "w9"), TWIN))
    settings = structs.replace(GENEROUS, **{f"allow_{guard}": False})
    return structs.replace(it, settings=settings, apply_from=STRICT, checkout=here)


def large(name: str, requests: int) -> JobSpec:
    return spec(name, inputs=(file_of(name, requests=requests),))


SITUATIONS = {
    "empty": (situation(*OLD[:2], specs=(), allow_empty=False), set()),
    "max_cancels": (situation(*OLD, max_cancels=3), {"free", "twin"}),
    "max_cancel_share": (situation(*OLD, max_cancel_share=0.5), {"free", "twin"}),
    "max_lost_answers": (situation(*OLD, max_lost_answers=5), {"free", "old0", "twin"}),
    "max_new_requests": (
        situation(specs=(large("big", 50), hidden("blind"), FREE, TWIN), max_new_requests=10),
        {"free", "twin"},
    ),
    "max_requests_per_day": (
        situation(specs=(large("big", 50), FREE, TWIN), max_requests_per_day=35),
        {"free", "twin"},
    ),
    "other_workspace": (
        situation(lines=(created(spec("x", "w8"), "g1", at=NOW - 3_600),), allow_other_workspace=False),
        set(),
    ),
    "created_elsewhere": (
        situation(
            job(spec("here", "w8"), "e1", SUCCEEDED, project="shop-old"),
            job(spec("failed", "w9"), "e2", Phase.FAILED, project="shop-old"),
            specs=(spec("failed", "w9"), FREE, spec("here", "w8"), TWIN),
            allow_created_elsewhere=False,
        ),
        {"free", "twin"},
    ),
    "other_branch": (from_checkout("other_branch", branch="topic"), {"old0", "twin"}),
    "other_branch without a branch": (from_checkout("other_branch", branch=""), {"old0", "twin"}),
    "dirty": (
        from_checkout("dirty", uncommitted=frozenset({"specs/free.yaml", "README.md"})),
        {"old0", "other", "twin"},
    ),
    "dirty submodule": (
        from_checkout("dirty", uncommitted=frozenset({"specs"})), {"old0", "twin"},
    ),
    "dirty settings": (
        from_checkout("dirty", uncommitted=frozenset({"reconciler.yaml"})), {"old0", "twin"},
    ),
    "unpushed": (from_checkout("unpushed", pushed=False), {"old0", "twin"}),
}  # fmt: skip


@pytest.mark.parametrize("guard", SITUATIONS)
def test_a_guard_holds_back_what_it_counts_and_the_rest_is_done(guard: str) -> None:
    it, done = SITUATIONS[guard]
    found = refusals(it)
    assert [refusal.guard for refusal in found] == [guard.partition(" ")[0]]
    left = hold_back(it.plan, found)
    assert {decision.name for decision in left.decisions if decision.pending} == done
    assert exceeded(it, left) == set()


@pytest.mark.parametrize("guard", SITUATIONS)
def test_without_a_guard_its_limit_is_exceeded(guard: str) -> None:
    it, _ = SITUATIONS[guard]
    name = guard.partition(" ")[0]
    left = hold_back(it.plan, [refusal for refusal in refusals(it) if refusal.guard != name])
    assert exceeded(it, left) == {name}


@pytest.mark.parametrize(
    "unclean", [Checkout(), Checkout(commit="c" * 40, branch="x", uncommitted=frozenset({"specs/free.yaml"}))]
)
def test_no_checkout_holds_a_removal_back_and_none_is_asked_without_the_setting(unclean: Checkout) -> None:
    it = structs.replace(
        situation(OLD[0], specs=(TWIN,)), apply_from=STRICT, settings=Guards(), checkout=unclean
    )
    assert refusals(it) == ()
    new = structs.replace(situation(), settings=Guards(), checkout=unclean)
    assert refusals(new) == ()
    held = refusals(structs.replace(new, apply_from=STRICT))
    assert [refusal.guard for refusal in held] == ["other_branch", "dirty", "unpushed"]


def test_specs_take_from_a_budget_in_order_of_name_and_a_family_goes_whole_or_not_at_all() -> None:
    family = tuple(structs.replace(large(f"c-{at}", 10), family="c-*") for at in range(3))
    family = tuple(structs.replace(it, declared_at=family[0].declared_at) for it in family)
    specs = (large("a", 15), large("b", 30), *family, large("d", 10))
    it = situation(specs=(*specs, TWIN), max_new_requests=40)
    (refusal,) = refusals(it)
    assert refusal.held == ("b", "c-0", "c-1", "c-2")
    assert refusal.message == "the plan submits 85 requests, more than 40"
    left = hold_back(it.plan, [refusal])
    assert [create.spec.name for create in left.of(Create)] == ["a", "d"]


def test_a_budget_is_not_spent_on_what_another_guard_holds() -> None:
    replaced = large("a", 30)
    it = situation(
        job(spec("a", "before"), "j1"),
        job(spec("gone", "gone"), "j2"),
        specs=(replaced, large("b", 30), TWIN),
        max_cancels=1,
        max_new_requests=30,
    )
    assert [refusal.guard for refusal in refusals(it)] == ["max_cancels"]
    assert [create.spec.name for create in hold_back(it.plan, refusals(it)).of(Create)] == ["b"]


def test_a_replacement_is_held_whole_and_says_what_it_would_have_done() -> None:
    it = situation(job(spec("a", "before"), "j1"), specs=(large("a", 30), TWIN), max_new_requests=10)
    held = next(it for it in hold_back(it.plan, refusals(it)).decisions if it.name == "a")
    hold, keep = held.actions
    assert isinstance(hold, Hold)
    assert hold.detail == "max_new_requests: create, inputs changed, 30 requests of mistral-small-latest"
    assert isinstance(keep, Keep)
    assert keep.job is not None
    assert keep.job.id == "j1"


@pytest.mark.parametrize(("shown", "held"), [(5, False), (6, True)])
def test_lost_answers_and_active_jobs_count_as_the_approved_plan_showed_them(
    shown: int, *, held: bool
) -> None:
    grown = tuple(structs.replace(it, completed_requests=9_000) for it in OLD)
    approved = Approved(answers={it.id: 0 for it in OLD} | {"old0": shown}, active=8)
    it = situation(*grown, max_lost_answers=5, max_cancel_share=0.5)
    assert [refusal.guard for refusal in refusals(it)] == ["max_cancel_share", "max_lost_answers"]
    agreed = structs.replace(it, approved=approved)
    assert [refusal.guard for refusal in refusals(agreed)] == ["max_lost_answers"] * held

"""Which parts of a saved plan are still valid when it is applied."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.errors import ExitCode, StalePlanError
from reconciler.model import Checkout, Job, JobSpec, Phase, Target
from reconciler.planning.actions import Cancel, Create, Plan
from reconciler.planning.quota import Quota, apply_quota
from reconciler.plans import plan_file
from reconciler.plans.document import PlanDoc
from reconciler.plans.staleness import SavedPlanResult, check_target, reconcile_saved_plan
from tests.helpers.donors import ended as donor
from tests.helpers.donors import work
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    PROJECT,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    UNKNOWN,
    broken,
    created,
    declared,
    ended,
    file_of,
    intended,
    job,
    reported,
    retrying,
    spec,
    stopped,
)
from tests.helpers.worlds import World, after, worlds

TARGET = Target(base_url="https://api.mistral.ai", project=PROJECT)
A, OLD = spec("a"), spec("a", "w0")


def saved(world: World) -> PlanDoc:
    """The plan of a world, as it comes back from a file."""
    document = plan_file.plan_document(
        world.plan(),
        target=TARGET,
        checkout=Checkout(),
        declared=declared(*world.specs),
        observed=world.observed,
        refusals=(),
        now=world.now,
    )
    return plan_file.decode(plan_file.encode(document))


def world(*jobs: Job, specs: tuple[JobSpec, ...] = (A,)) -> World:
    return World(specs=specs, jobs=jobs)


def applied(before: World, now: World) -> SavedPlanResult:
    """What is left to do now of the plan that was made before, if it holds.

    Raises:
        StalePlanError: it does not.
    """
    left = reconcile_saved_plan(saved(before), now.plan(), now.observed)
    if left.broken:
        raise StalePlanError("; ".join(left.broken), hint="plan again")
    return left


def whole(left: SavedPlanResult) -> bool:
    return (left.satisfied, left.extra) == ((), ())


def test_a_plan_that_wants_nothing_holds_for_ever() -> None:
    left = applied(world(job(A)), world(job(A, "j1", SUCCEEDED)))
    assert whole(left)
    assert not left.plan.pending


@given(worlds())
def test_a_plan_holds_completely_if_nothing_has_changed(it: World) -> None:
    left = applied(it, it)
    assert whole(left)
    assert left.plan == it.plan()


@given(worlds())
def test_a_plan_that_was_applied_is_satisfied(it: World) -> None:
    then = after(it, it.plan())
    left = applied(it, then)
    assert not left.plan.pending
    assert len(left.satisfied) == len(it.plan().of(Create)) + len(it.plan().of(Cancel))


def settings(of: JobSpec) -> str:
    """Everything that a job gets besides its work."""
    return str((of.settings, of.retry, of.on_change, of.checks, of.canary, of.reuse))


def actions(plan: Plan) -> set[tuple[object, ...]]:
    """What a plan does, without its reasons: a create is of its work with its settings."""
    return {
        (decision.name, action.spec.run_key, action.attempt, settings(action.spec))
        if isinstance(action, Create)
        else (decision.name, action.owned.job.id)
        for decision in plan.decisions
        for action in decision.actions
        if isinstance(action, Create | Cancel)
    }


@given(worlds(), st.data())
def test_only_what_both_plans_hold_is_done(before: World, data: st.DataObject) -> None:
    other = data.draw(worlds())
    now = replace(
        before,
        specs=data.draw(st.sampled_from((before.specs, before.specs[1:], other.specs))),
        jobs=tuple(data.draw(st.sampled_from((it, _on(it), _on(it, FAILED)))) for it in before.jobs),
    )
    promised, wanted = actions(before.plan()), actions(now.plan())
    try:
        left = applied(before, now)
    except StalePlanError:
        event("stale")
        assert promised - wanted
    else:
        event(f"done: {left.plan.pending}, satisfied: {bool(left.satisfied)}, extra: {bool(left.extra)}")
        assert actions(left.plan) == promised & wanted
        assert len(left.satisfied) == len(promised - wanted)
        assert len(left.extra) == len(wanted - promised)


def _on(it: Job, end: Phase = SUCCEEDED) -> Job:
    """A job a day later."""
    phase = {ACTIVE: end, STOPPING: CANCELLED}.get(it.phase, it.phase)
    return structs.replace(it, phase=phase, status=phase.value)


# Jobs that run on.


def test_a_job_that_runs_on_does_not_make_a_plan_stale() -> None:
    before = world(job(OLD, status="QUEUED"))
    left = applied(before, world(job(OLD, status="RUNNING", completed_requests=5)))
    assert whole(left)
    assert reported(left.plan) == {"a": ("create changed 1", "cancel j1 superseded")}


def test_a_job_that_runs_on_beside_the_plan_does_not_make_it_stale() -> None:
    b = spec("b", "w2")
    left = applied(world(job(b), specs=(A, b)), world(job(b, "j1", SUCCEEDED), specs=(A, b)))
    assert whole(left)
    assert reported(left.plan)["a"] == ("create new 1",)


# Progress.


@pytest.mark.parametrize(("phase", "word"), [(ACTIVE, "running"), (SUCCEEDED, "succeeded")])
def test_work_that_another_runner_created_meanwhile_is_skipped(phase: Phase, word: str) -> None:
    left = applied(world(), world(job(A, "j1", phase)))
    assert left.satisfied == (f"create a: already submitted, {word}",)
    assert not left.plan.pending


def test_work_that_was_created_under_another_name_is_skipped() -> None:
    left = applied(world(), world(job(A), specs=(spec("b"),)))
    assert left.satisfied == ("create a: already submitted, running",)


def test_work_whose_success_was_deleted_is_skipped() -> None:
    now = replace(world(), lines=(created(A, "j1"), ended(A, "j1", SUCCEEDED)), gone=frozenset({"j1"}))
    assert applied(world(), now).satisfied == ("create a: already submitted, record_gone",)


@pytest.mark.parametrize("phase", [STOPPING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED])
def test_a_job_that_ended_meanwhile_needs_no_cancel(phase: Phase) -> None:
    left = applied(world(job(A), specs=()), world(job(A, "j1", phase), specs=()))
    assert left.satisfied == ("cancel a: it no longer runs",)
    assert not left.plan.pending


def test_a_job_whose_record_is_gone_needs_no_cancel() -> None:
    left = applied(world(job(A), specs=()), world(specs=()))
    assert left.satisfied == ("cancel a: it no longer runs",)


def test_the_other_half_of_a_replacement_is_still_done() -> None:
    before = world(job(OLD, age=900))
    left = applied(before, world(job(OLD, age=900), job(A, "j2")))
    assert left.satisfied == ("create a: already submitted, running",)
    assert reported(left.plan) == {"a": ("keep j2 running", "cancel j1 superseded")}


# What no longer holds.

FAILING = spec("a", retry=retrying(2))


@pytest.mark.parametrize(
    ("before", "now", "instead"),
    [
        (world(), world(job(A, "j1", CANCELLED)), "create a: now hold (cancelled)"),
        (world(), world(job(A, "j1", FAILED)), "create a: now hold (failed)"),
        (world(), world(specs=(spec("a", suspend=True),)), "create a: now hold (suspended)"),
        (world(), world(specs=()), "create a: now there is nothing to do"),
        (
            world(),
            world(specs=(spec("a", "w9"),)),
            f"create a: now create (new, work {spec('a', 'w9').run_key.work[:11]}, attempt 1)",
        ),
        (
            world(),
            replace(world(), lines=(intended(A, "00000009"),)),
            "create a: now hold (unsettled)",
        ),
        (world(job(A), specs=()), world(job(A)), "cancel a: now keep (running)"),
        (
            world(job(A, "j1", age=900), job(A, "j2")),
            world(job(A, "j1", FAILED, age=900), job(A, "j2")),
            "cancel a: now keep (running)",
        ),
        (world(job(A), specs=()), world(broken(A), specs=()), "cancel a: now hold (unreadable)"),
        (
            world(job(A), specs=()),
            world(job(A, "j1", UNKNOWN), specs=()),
            "cancel a: now hold (unknown_status)",
        ),
        (
            world(job(A), specs=()),
            replace(world(job(A), specs=()), contained_commits=None),
            "cancel a: now hold (other_history)",
        ),
        (
            world(job(A), specs=()),
            world(job(A), specs=(spec("b"),)),
            "cancel a: now keep (renamed)",
        ),
        (
            world(specs=(spec("a", on_change="finish"),)),
            world(job(OLD), specs=(spec("a", on_change="finish"),)),
            "create a: now hold (waiting), keep (running)",
        ),
        (
            world(specs=(spec("a", rerun="2"),)),
            world(job(A), specs=(spec("a", rerun="2"),)),
            "create a: now hold (waiting), keep (running)",
        ),
    ],
)
def test_a_saved_action_that_no_longer_holds_is_reported_with_what_is_planned_instead(
    before: World, now: World, instead: str
) -> None:
    with pytest.raises(StalePlanError) as caught:
        applied(before, now)
    assert str(caught.value) == instead


def test_everything_that_no_longer_holds_is_reported_at_once() -> None:
    b = spec("b", "w2")
    before, now = world(specs=(A, b)), world(job(A, "j1", FAILED), job(b, "j2", CANCELLED), specs=(A, b))
    with pytest.raises(
        StalePlanError, match=r"create a: now hold \(failed\); create b: now hold \(cancelled\)"
    ):
        applied(before, now)


# What only the fresh plan holds.


def test_an_action_that_is_not_in_the_saved_plan_is_listed_and_not_executed() -> None:
    b, gone = spec("b", "w2"), job(spec("gone", "w9"), "j9")
    before, now = world(gone, specs=(A, spec("gone", "w9"))), world(gone, specs=(A, b))
    left = applied(before, now)
    assert left.extra == ("cancel gone", "create b")
    assert reported(left.plan) == {"a": ("create new 1",)}
    assert left.satisfied == ()


def test_a_cancel_of_another_job_of_the_same_name_is_not_the_one_that_was_read() -> None:
    left = applied(world(job(A), specs=()), world(job(A, "j2"), specs=()))
    assert left.extra == ("cancel a",)
    assert not left.plan.pending


# Targets.


def test_a_plan_may_be_applied_to_its_own_target() -> None:
    check_target(saved(world()), TARGET)


@pytest.mark.parametrize(
    "other",
    [
        structs.replace(TARGET, project="other"),
        structs.replace(TARGET, base_url="https://eu.example.com"),
        structs.replace(TARGET, sandbox=True),
    ],
)
def test_a_plan_for_another_target_is_refused(other: Target) -> None:
    with pytest.raises(StalePlanError, match=r"was made for project search on api\.mistral\.ai") as caught:
        check_target(saved(world()), other)
    assert caught.value.exit_code is ExitCode.STALE


def test_a_plan_to_create_first_does_not_hold_if_there_is_room_for_one_alone() -> None:
    new = spec("a", inputs=(file_of("other", requests=700),))
    before = world(job(A), specs=(new,))
    fresh = before.plan()
    (decision,) = fresh.decisions
    actions = tuple(
        structs.replace(it, cancel_before_create=True) if isinstance(it, Cancel) else it
        for it in decision.actions
    )
    ahead = structs.replace(fresh, decisions=(structs.replace(decision, actions=actions),))
    assert reconcile_saved_plan(saved(before), ahead, before.observed).broken == (
        "cancel a: there is no room for both jobs, so it would now be cancelled before the create",
    )


@given(worlds(), worlds(), st.integers(0, 40))
def test_what_is_left_out_without_a_quota_is_left_out_with_one_so_it_needs_no_room(
    now: World, before: World, room: int
) -> None:
    document = saved(before)
    whole = reconcile_saved_plan(document, now.plan(), now.observed).plan
    kept = {it.spec.name for it in whole.of(Create)}
    bounded = apply_quota(now.plan(), now.observed.pending, Quota(workspace=room), kept)
    left = reconcile_saved_plan(document, bounded, now.observed).plan
    assert {it.spec.name for it in left.of(Create)} <= kept


@pytest.mark.parametrize(("then", "now", "holds"), [(1, 2, False), (2, 2, True), (2, 1, True), (3, 2, True)])
def test_a_part_may_have_fewer_requests_than_its_plan_said_and_not_more(
    then: int, now: int, *, holds: bool
) -> None:
    twice = spec("a", retry=retrying(2))
    before = (job(twice, "j1", TIMED_OUT, succeeded_requests=1, output_file="o"),)

    def situation(failed: int) -> World:
        outcomes = {letter: "missing" if at < failed else "" for at, letter in enumerate("abcd")}
        return World(specs=(twice,), jobs=before, works={"a": work("abcd", donor("j1", outcomes))})

    fresh = situation(now)
    left = reconcile_saved_plan(saved(situation(then)), fresh.plan(), fresh.observed)
    assert [it.requests for it in left.plan.of(Create)] == ([now] if holds else [])
    assert left.broken == (() if holds else ("create a: requests were 1, now 2",))


# A later attempt or part means that the saved one was submitted.


def canaries(
    *outcomes: str, count: int = 8, more: int = 0, retry: int = 1, reuse: bool = False, attempt: int = 1
) -> World:
    """A work of some requests with a canary of two, after the outcomes of its first requests."""
    of = spec("a", canary=2, retry=retrying(retry), reuse=reuse, inputs=(file_of("w1", requests=count),))
    letters = "abcdefgh"[:count]
    kinds = dict(zip(letters, outcomes, strict=False))
    jobs = (job(of, "j1", SUCCEEDED, attempt=attempt, part=(2, count, 0)),) if outcomes else ()
    done = tuple(donor(it.id, kinds) for it in jobs)
    wanted = letters + "stuvwxyz"[:more]
    return World(specs=(of,), jobs=jobs, works={"a": work(wanted, *done, cap=retry, canary=2)})


def test_the_rest_of_a_canary_and_its_retries_are_done_by_the_plan_of_the_canary() -> None:
    plan_of_the_canary = saved(canaries())
    (shown,) = [create for it in plan_of_the_canary.decisions for create in it.actions]
    assert (shown.requests, shown.in_all) == (2, 8)  # type: ignore[union-attr]
    rest = applied(canaries(), canaries("", ""))
    assert reported(rest.plan) == {"a": ("create part 2 6/8",)}
    assert whole(rest)
    again = applied(canaries(retry=2), canaries("", "missing", retry=2))
    assert reported(again.plan) == {"a": ("create part 2 1/8",)}, "the retry first: the checks fail"


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (canaries("", "", more=3), "requests in all were 8, now 9"),
        (canaries("", "", retry=2), "retry.max_attempts was 1, now 2"),
        (canaries("", "", reuse=True), "reuse was False, now True"),
        (canaries("", "http_400"), "now hold (canary_failed)"),
    ],
)
def test_the_rest_of_a_canary_is_not_done_beyond_what_its_plan_shows(now: World, why: str) -> None:
    left = reconcile_saved_plan(saved(canaries()), now.plan(), now.observed)
    assert [it.partition(": ")[2] for it in left.broken][:1] == [why]
    assert not left.plan.pending


def test_a_retry_of_what_the_plan_created_is_done_by_it() -> None:
    left = applied(world(specs=(FAILING,)), world(job(FAILING, "j1", FAILED), specs=(FAILING,)))
    assert reported(left.plan) == {"a": ("create retry 2",)}


def test_an_earlier_attempt_than_that_of_the_plan_is_not_done() -> None:
    before = world(job(FAILING, "j1", FAILED), specs=(FAILING,))
    with pytest.raises(StalePlanError, match=r"create a: now create \(new, work .*, attempt 1\)"):
        applied(before, world(specs=(FAILING,)))


def test_work_that_was_cancelled_and_is_declared_again_is_no_rest_of_it() -> None:
    first, then = job(FAILING, "j1", FAILED, age=900), job(FAILING, "j2", CANCELLED, attempt=2)
    now = replace(world(first, then, specs=(FAILING,)), lines=stopped("j2", "removed"))
    assert reported(now.plan()) == {"a": ("create restored 2?",)}
    with pytest.raises(StalePlanError, match=r"now create \(restored"):
        applied(world(specs=(FAILING,)), now)

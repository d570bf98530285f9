"""Properties of every plan, for any specs, jobs and ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from random import Random
from typing import TypeVar

from hypothesis import event, given, seed, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.ledger.lines import CreateConfirmed, CreateIntended, Line
from reconciler.model import Phase, RunKey, tags
from reconciler.planning.actions import Cancel, Create, Hold, Plan, Reason
from reconciler.planning.group_by_name import group_by_name
from reconciler.planning.planner import RULES, rule_for
from reconciler.planning.standing import Standing
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    declared,
    memory,
    reported,
    said,
)
from tests.helpers.worlds import NAMES, World, after, days, worlds

T = TypeVar("T")
BY_REQUEST = (
    Reason.PART,
    Reason.INCOMPLETE,
    Reason.CANARY_FAILED,
    Reason.ANSWERS_LATE,
    Reason.ANSWERS_GONE,
    Reason.RESULTS_NEEDED,
)
"""Only results show the state of single requests."""


@given(worlds())
def test_every_declared_name_is_decided_exactly_once(world: World) -> None:
    plan = world.plan()
    for decision in plan.decisions:
        for action in decision.actions:
            event(" ".join(said(action).split()[0::2]))
    names = [decision.name for decision in plan.decisions]
    assert names == sorted(set(names))
    assert {it.name for it in world.specs} <= set(names)
    assert all(decision.actions for decision in plan.decisions)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_never_matters(world: World, random: Random) -> None:
    def shuffled(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(items, len(items)))

    other = replace(
        world, specs=shuffled(world.specs), jobs=shuffled(world.jobs), lines=shuffled(world.lines)
    )
    assert other.plan() == world.plan()


@given(worlds())
def test_only_live_jobs_of_ours_are_cancelled_and_each_once(world: World) -> None:
    ours = {it.job.id: it for it in world.observed.owned}
    cancelled = [cancel.owned.job.id for cancel in world.plan().of(Cancel)]
    assert len(cancelled) == len(set(cancelled))
    assert all(ours[job_id].phase is ACTIVE for job_id in cancelled)


@given(worlds())
def test_nothing_is_cancelled_that_this_checkout_does_not_know_unless_it_is_a_duplicate(world: World) -> None:
    for cancel in world.plan().of(Cancel):
        commit = cancel.owned.tags.source.commit
        known = not commit or commit in (world.contained_commits or ())
        assert known or cancel.reason is Reason.DUPLICATE


@given(worlds())
def test_no_job_from_another_folder_is_cancelled(world: World) -> None:
    theirs = {it.job.id for it in world.observed.owned if it.tags.source.root == "other"}
    event(f"from another folder: {bool(theirs)}")
    assert not theirs & {cancel.owned.job.id for cancel in world.plan().of(Cancel)}


@given(worlds())
def test_nothing_is_created_that_is_created_or_may_be(world: World) -> None:
    created = {RunKey(create.spec.run_key.work, create.spec.rerun) for create in world.plan().of(Create)}
    live = (ACTIVE, SUCCEEDED, STOPPING, Phase.UNKNOWN)
    held = {it.tags.run_key for it in world.observed.owned if it.phase in live}
    names: set[str] = set()
    ops = {it.tags.op for it in world.observed.owned}
    for intent in memory(*world.lines).open_creates:
        if intent.op not in ops and world.now < intent.at + 60:
            held.add(RunKey(intent.work, intent.rerun))
            names.add(intent.name)
    assert not created & held
    assert not names & {create.spec.name for create in world.plan().of(Create)}
    damaged = {it.run_key.work for it in world.observed.unreadable if it.run_key}
    assert not {key.work for key in created} & damaged


@given(worlds(), worlds())
def test_no_line_of_the_ledger_makes_a_cancel_or_hinders_one(world: World, other: World) -> None:
    def cancelled(lines: tuple[Line, ...]) -> set[str]:
        return {cancel.owned.job.id for cancel in replace(world, lines=lines).plan().of(Cancel)}

    by_tags = cancelled(())
    event(f"cancels: {len(by_tags)}")
    assert cancelled(world.lines) == cancelled(other.lines) == by_tags


@given(worlds(), worlds())
def test_no_line_alone_makes_a_create_that_is_not_in_doubt(world: World, forger: World) -> None:
    """Outcomes of creates under way are left out: one that is forged ends the wait for the job."""
    under_way = {line.op for line in world.lines if isinstance(line, CreateIntended)}
    forged = tuple(
        line for line in forger.lines if not (isinstance(line, CreateConfirmed) and line.op in under_way)
    )
    honest = replace(world, gone=world.gone | forger.gone)
    believed = {create.spec.run_key for create in honest.plan().of(Create)}
    creates = replace(honest, lines=(*world.lines, *forged)).plan().of(Create)
    event(f"in doubt: {sum(bool(create.rests_on_ledger) for create in creates)}")
    assert {it.spec.run_key for it in creates if not it.rests_on_ledger} <= believed


@given(worlds())
def test_no_work_is_created_twice_in_one_plan(world: World) -> None:
    created = Counter(create.spec.run_key for create in world.plan().of(Create))
    assert all(times == 1 for times in created.values())


@given(worlds())
def test_attempts_never_exceed_what_the_spec_allows(world: World) -> None:
    for create in world.plan().of(Create):
        assert 1 <= create.attempt <= create.spec.retry.max_attempts


@given(worlds())
def test_a_cancelled_duplicate_leaves_an_older_job_or_a_success(world: World) -> None:
    plan = world.plan()
    cancelled = {cancel.owned.job.id for cancel in plan.of(Cancel)}
    keys = {it.job.id: it.tags.run_key for it in world.observed.owned}
    for cancel in plan.of(Cancel):
        if cancel.reason is Reason.DUPLICATE:
            twin = cancel.duplicate_of
            assert twin is not None
            assert twin in world.jobs
            assert twin.id not in cancelled
            assert keys.get(twin.id, cancel.owned.tags.run_key) == cancel.owned.tags.run_key
            assert twin.phase is SUCCEEDED or (
                twin.phase is ACTIVE and twin.age_key < cancel.owned.job.age_key
            )


@given(worlds())
def test_of_several_live_jobs_of_one_run_key_and_name_one_stays_whatever_is_wanted(world: World) -> None:
    plan = world.plan()
    cancelled = {cancel.owned.job.id for cancel in plan.of(Cancel)}
    untouched = {
        decision.name
        for decision in plan.decisions
        if {it.reason for it in decision.of(Hold)}
        & {
            Reason.UNREADABLE,
            Reason.NEWER_TOOL,
            Reason.UNKNOWN_STATUS,
            Reason.OTHER_ROOT,
            Reason.OTHER_HISTORY,
        }
    }
    names = {decision.name for decision in plan.decisions} - untouched
    live = Counter(
        (*sorted(owners), it.tags.run_key)
        for it, owners in zip(world.observed.owned, _owners(world), strict=True)
        if owners <= names and it.phase is ACTIVE and it.job.id not in cancelled
    )
    assert all(number == 1 for number in live.values()), live


@given(worlds(), st.frozensets(st.sampled_from((*NAMES, "nobody"))))
def test_a_selection_decides_what_the_whole_plan_decides_and_removes_nothing(
    world: World, selected: frozenset[str]
) -> None:
    whole = {decision.name: decision for decision in world.plan().decisions}
    part = world.plan(selected=selected)
    known = {it.name for it in world.specs}
    assert {decision.name for decision in part.decisions} == selected & known
    assert all(decision == whole[decision.name] for decision in part.decisions)
    assert all(cancel.reason is not Reason.REMOVED for cancel in part.of(Cancel))
    names = {decision.name for decision in part.decisions}
    surely = sum(owners <= names for owners in _owners(world))
    perhaps = sum(bool(owners & names) for owners in _owners(world))
    considered = len(world.observed.owned) - part.not_considered
    assert surely <= considered <= perhaps


def _owners(world: World) -> Iterator[set[str]]:
    """For each of our jobs the names that it may belong to: those that declare its work, else the name in its tags."""
    for it in world.observed.owned:
        wanting = {spec.name for spec in world.specs if it.tags.run_key in spec.run_keys}
        yield wanting or {it.tags.name}


def _settled(world: World, plan: Plan) -> World:
    """The world after what follows a plan that was applied.

    If specs share work, old jobs are cancelled only once the shared job exists. If a job has to stop before it is
    replaced, the next apply creates its replacement.
    """
    shares = len({it.run_key for it in world.specs}) < len(world.specs)
    replaces = any(it.standing is Standing.WAITING and it.of(Cancel) for it in plan.decisions)
    event(f"a job stops first: {replaces}")
    for _ in range(shares + replaces):
        world = after(world, world.plan())
    return world


@given(worlds(), st.sampled_from((STOPPING, CANCELLED)))
def test_one_apply_is_enough(world: World, cancelled: Phase) -> None:
    plan = world.plan()
    event(f"pending: {plan.pending}")
    then = _settled(after(world, plan, cancelled=cancelled), plan).plan()
    assert not then.pending, reported(then)


@given(worlds(), st.data())
def test_half_an_apply_is_made_whole_by_the_next(world: World, data: st.DataObject) -> None:
    plan = world.plan()
    begun = structs.replace(
        plan, decisions=tuple(decision for decision in plan.decisions if data.draw(st.booleans()))
    )
    between = after(world, begun)
    rest = between.plan()
    whole = _settled(after(between, rest), rest)
    assert not whole.plan().pending
    assert len(whole.jobs) == len(_settled(after(world, plan), plan).jobs)


@given(worlds())
def test_whatever_succeeds_is_created_once_and_then_there_is_peace(world: World) -> None:
    plans = [plan for _, plan in islice(days(world, SUCCEEDED), 5)]
    created = Counter(create.spec.run_key for plan in plans for create in plan.of(Create))
    assert all(times == 1 for times in created.values())
    assert not plans[-1].pending


@given(worlds(), st.sampled_from((FAILED, TIMED_OUT)))
def test_whatever_always_fails_is_created_as_often_as_the_spec_allows(world: World, end: Phase) -> None:
    plans = [plan for _, plan in islice(days(world, end), 7)]
    created = Counter(create.spec.name for plan in plans for create in plan.of(Create))
    for it in world.specs:
        allowed = it.retry.max_attempts if end in it.retry.on else 1
        assert created[it.name] <= allowed
    assert not plans[-1].pending


@given(worlds())
def test_an_adopted_job_is_never_cancelled_and_makes_nothing_of_ours_be_cancelled(world: World) -> None:
    without = replace(world, specs=tuple(structs.replace(it, adopt=None) for it in world.specs))
    adopted = {it.adopt.job for it in world.specs if it.adopt} - {it.job.id for it in world.observed.owned}
    cancelled = {cancel.owned.job.id for cancel in world.plan().of(Cancel)}
    event(f"adopted: {len(adopted)}")
    assert not cancelled & adopted
    assert cancelled <= {cancel.owned.job.id for cancel in without.plan().of(Cancel)}


@given(worlds())
def test_an_adopted_job_counts_as_the_job_of_its_work(world: World) -> None:
    untagged = {it.id: it for it in world.jobs if tags.project_of(it) is None}
    created = {create.spec.run_key for create in world.plan().of(Create)}
    for it in world.specs:
        if it.adopt and (job := untagged.get(it.adopt.job)) and job.phase in (ACTIVE, STOPPING, SUCCEEDED):
            event(f"adopted {job.phase}")
            assert RunKey(it.adopt.work, "") not in created


@given(worlds())
def test_a_job_that_is_to_be_adopted_and_is_not_there_creates_nothing(world: World) -> None:
    there = {it.id for it in world.jobs}
    created = {create.spec.run_key for create in world.plan().of(Create)}
    for it in world.specs:
        if it.adopt and it.adopt.job not in there:
            assert RunKey(it.adopt.work, "") not in created


def test_a_hold_alone_is_not_a_pending_change() -> None:
    @settings(derandomize=True)
    @given(worlds())
    def check(world: World) -> None:
        for decision in world.plan().decisions:
            writes = any(isinstance(action, Create | Cancel) for action in decision.actions)
            assert decision.pending is writes

    check()


def test_the_generated_worlds_reach_every_reason_and_every_rule() -> None:
    reasons: set[str] = set()
    standings: set[str] = set()

    def look(world: World) -> None:
        reasons.update(action.reason for decision in world.plan().decisions for action in decision.actions)
        asked = declared(*world.specs, contained_commits=world.contained_commits)
        for case in group_by_name(asked, world.observed, memory(*world.lines), now=world.now):
            standings.add(rule_for(case).standing)

    elsewhere = {
        Reason.QUOTA,
        Reason.CHECKOUT_BEHIND,
        Reason.NOT_AGREED,
        Reason.HELD_BACK,
        Reason.INPUT_NEEDED,
        *BY_REQUEST,
    }  # tests of their own
    every_reason = set(Reason) - elsewhere
    every_standing = {rule.standing for rule in RULES} - {
        Standing.CHECKOUT_BEHIND,
        *(it for it in Standing if it.value in BY_REQUEST),
    }
    for number in range(20):  # a rare one may need more worlds than a search makes with one seed
        if (reasons, standings) != (every_reason, every_standing):
            seed(number)(settings(max_examples=400, database=None)(given(worlds())(look)))()
    assert reasons == every_reason
    assert standings == every_standing


@given(worlds())
def test_exactly_one_rule_applies_to_each_name(world: World) -> None:
    asked = declared(*world.specs, contained_commits=world.contained_commits)
    for case in group_by_name(asked, world.observed, memory(*world.lines), now=world.now):
        assert len([rule.standing for rule in RULES if rule.applies(case)]) == 1

"""Specs with the same work share one job: what is decided about each of them, and that nothing is created twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.model import Checks, JobSpec, Phase
from reconciler.planning.actions import Cancel, Create, Hold, Keep, Reason
from tests.helpers.donors import ended, work
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    adopting,
    broken,
    intended,
    job,
    reported,
    retrying,
    spec,
    stopped,
    untagged,
)
from tests.helpers.worlds import World, after, worlds

A, B, C = spec("a"), spec("b"), spec("c")
OLD = spec("b", "w0")
"""What `b` declared before."""
REUSING = spec("a", reuse=True)
CANARY = job(A, "j1", SUCCEEDED, part=(2, 10, 0), age=300)
"""Two of ten requests, answered."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A situation, and what is decided about each name."""

    world: World
    expected: Mapping[str, tuple[str, ...]]


TABLE = {
    "of two new ones the first by name is created": Row(
        world=World(specs=(B, A)), expected={"a": ("create new 1",), "b": ("hold - same_work",)}
    ),
    "of a job from another folder and twins of ours, the twins are cancelled once": Row(
        world=World(
            specs=(A, B, C),
            jobs=(job(A, age=300), job(A, "j2", age=200), job(A, "j3", age=100, root="other")),
        ),
        expected={
            "a": ("hold j3 other_root!", "cancel j2 duplicate"),
            "b": ("hold j3 other_root!",),
            "c": ("hold j3 other_root!",),
        },
    ),
    "of three new ones one is created": Row(
        world=World(specs=(A, B, C)),
        expected={"a": ("create new 1",), "b": ("hold - same_work",), "c": ("hold - same_work",)},
    ),
    "the name of the running job owns it": Row(
        world=World(specs=(A, B), jobs=(job(B),)),
        expected={"a": ("keep j1 same_work",), "b": ("keep j1 running",)},
    ),
    "a job that succeeded comes before one that runs": Row(
        world=World(specs=(A, B), jobs=(job(A), job(B, "j2", SUCCEEDED))),
        expected={"a": ("keep j2 same_work",), "b": ("keep j2 succeeded", "cancel j1 duplicate")},
    ),
    "of two live jobs the older one stays and the other is cancelled once": Row(
        world=World(specs=(A, B), jobs=(job(A, "j1", age=10), job(B, "j2", age=20))),
        expected={"a": ("keep j2 running", "cancel j1 duplicate"), "b": ("keep j2 same_work",)},
    ),
    "the name of the newest part owns the work": Row(
        world=World(specs=(A, B), jobs=(CANARY, job(B, "j2", part=(8, 10, 2), age=100))),
        expected={"a": ("keep j2 same_work",), "b": ("keep j2 running",)},
    ),
    "if the spec of the newest part is suspended, its job is that of the first": Row(
        world=World(
            specs=(B, C, spec("a", suspend=True)), jobs=(CANARY, job(A, "j2", part=(8, 10, 2), age=100))
        ),
        expected={"a": ("hold - suspended",), "b": ("keep j2 running",), "c": ("keep j2 same_work",)},
    ),
    "the rest of a canary is the owner's": Row(
        world=World(
            specs=(A, B), jobs=(CANARY,), works={"a": work("abcd", ended("j1", {"a": "", "b": ""}), canary=2)}
        ),
        expected={"a": ("create part 2 2/4",), "b": ("hold - same_work",)},
    ),
    "a canary that fails holds both": Row(
        world=World(
            specs=(A, B),
            jobs=(CANARY,),
            works={"a": work("abcd", ended("j1", {"a": "", "b": "http_400"}), canary=2)},
        ),
        expected={"a": ("hold - canary_failed!",), "b": ("hold - canary_failed!",)},
    ),
    "what is left unanswered is the same for both": Row(
        world=World(
            specs=(A, B),
            jobs=(job(A, "j1", TIMED_OUT, succeeded_requests=5),),
            works={"a": work("ab", ended("j1", {"a": "", "b": "http_400"}))},
        ),
        expected={"a": ("hold - incomplete!",), "b": ("hold - incomplete!",)},
    ),
    "answers of earlier work complete the work of both": Row(
        world=World(
            specs=(REUSING, B),
            jobs=(job(spec("a", "w0"), "j1", SUCCEEDED),),
            works={"a": work("ab", ended("j1", {"a": "", "b": "", "c": ""}))},
        ),
        expected={"a": ("keep j1 succeeded",), "b": ("keep j1 same_work",)},
    ),
    "if the owner is removed the other one has the job": Row(
        world=World(specs=(B,), jobs=(job(A),)),
        expected={"a": ("keep j1 renamed",), "b": ("keep j1 running",)},
    ),
    "if the owner is renamed nothing is created": Row(
        world=World(specs=(B, C), jobs=(job(A),)),
        expected={"a": ("keep j1 renamed",), "b": ("keep j1 running",), "c": ("keep j1 same_work",)},
    ),
    "a rerun of the owner leaves the job to the other": Row(
        world=World(specs=(spec("a", rerun="2"), B), jobs=(job(A),)),
        expected={"a": ("create rerun 1",), "b": ("keep j1 running",)},
    ),
    "a rerun of the other one waits for no job of the owner": Row(
        world=World(specs=(A, spec("b", rerun="2")), jobs=(job(A),)),
        expected={"a": ("keep j1 running",), "b": ("create rerun 1",)},
    ),
    "a cancel by hand holds both": Row(
        world=World(specs=(A, B), jobs=(job(A, "j1", CANCELLED),)),
        expected={"a": ("hold j1 cancelled!",), "b": ("hold j1 cancelled!",)},
    ),
    "a job that stops is waited for by both": Row(
        world=World(specs=(A, B), jobs=(job(A, "j1", STOPPING),)),
        expected={"a": ("hold j1 stopping",), "b": ("hold j1 stopping",)},
    ),
    "an unsettled create holds both": Row(
        world=World(specs=(A, B), lines=(intended(B, "op000000"),)),
        expected={"a": ("hold - unsettled",), "b": ("hold - unsettled",)},
    ),
    "the retry of the owner is the only one": Row(
        world=World(specs=(spec("a", retry=retrying(2)), B), jobs=(job(A, "j1", FAILED),)),
        expected={"a": ("create retry 2",), "b": ("hold - same_work",)},
    ),
    "the retry of another one creates nothing": Row(
        world=World(specs=(A, spec("b", retry=retrying(2))), jobs=(job(A, "j1", FAILED),)),
        expected={"a": ("hold j1 failed!",), "b": ("hold j1 failed!",)},
    ),
    "each judges the failed requests by its own limit": Row(
        world=World(
            specs=(A, spec("b", checks=Checks(failed=0.5))),
            jobs=(job(A, "j1", SUCCEEDED, total_requests=10, failed_requests=1),),
        ),
        expected={"a": ("keep j1 succeeded!",), "b": ("keep j1 same_work",)},
    ),
    "a suspended one cancels nothing that another one wants": Row(
        world=World(specs=(spec("a", suspend=True), B), jobs=(job(A),)),
        expected={"a": ("hold - suspended",), "b": ("keep j1 running",)},
    ),
    "if all are suspended the job is cancelled once": Row(
        world=World(specs=(spec("a", suspend=True), spec("b", suspend=True)), jobs=(job(B),)),
        expected={"a": ("hold - suspended",), "b": ("cancel j1 suspended",)},
    ),
    "the old work of another one ends once the job of both is there": Row(
        world=World(specs=(A, B), jobs=(job(A), job(OLD, "j2"))),
        expected={"a": ("keep j1 running",), "b": ("keep j1 same_work", "cancel j2 superseded")},
    ),
    "until the job of both is there the old work of another one continues": Row(
        world=World(specs=(A, B), jobs=(job(OLD, "j2"),)),
        expected={"a": ("create new 1",), "b": ("hold - same_work", "keep j2 running")},
    ),
    "a damaged job of the owner creates nothing under the other name": Row(
        world=World(specs=(A, B), jobs=(broken(A),)),
        expected={"a": ("hold j1 unreadable!",), "b": ("hold j1 unreadable!",)},
    ),
    "a damaged job that only the owner's name has holds the create of both": Row(
        world=World(specs=(A, B), jobs=(broken(spec("a", "w9")),)),
        expected={"a": ("hold j1 unreadable!",), "b": ("hold j1 unreadable!",)},
    ),
    "an adopted job belongs to the spec that adopts it": Row(
        world=World(specs=(A, adopting(B)), jobs=(untagged(B),)),
        expected={"a": ("keep j1 same_work",), "b": ("keep j1 adopted",)},
    ),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_the_table(row: Row) -> None:
    assert reported(row.world.plan()) == row.expected


@given(worlds())
def test_equal_work_is_created_once(world: World) -> None:
    created = Counter(create.spec.run_key for create in world.plan().of(Create))
    assert all(times == 1 for times in created.values())
    once = after(world, world.plan())
    again = {create.spec.run_key for create in once.plan().of(Create)}
    assert not again & created.keys()


@given(worlds(), st.sampled_from((ACTIVE, SUCCEEDED)), st.integers(0, 1))
def test_without_the_owner_the_other_one_has_the_job(world: World, phase: Phase, at: int) -> None:
    assume(world.specs)
    first = structs.replace(world.specs[0], suspend=False, adopt=None)
    second = structs.replace(first, name="z")
    both = (first, second)
    quiet = replace(world, specs=both, jobs=(job(both[at], "j1", phase),), lines=(), gone=frozenset())
    without = replace(quiet, specs=(both[1 - at],)).plan()
    assert not without.of(Create) + without.of(Cancel)
    (keep, *_) = next(it for it in without.decisions if it.spec).actions
    assert isinstance(keep, Keep)
    assert keep.job is not None
    assert keep.job.id == "j1"


@given(worlds())
def test_one_of_several_equal_specs_decides_as_a_single_one_does(world: World) -> None:
    """Whatever is created or cancelled for the work of several specs, one spec alone with their work does too."""
    shared = Counter(it.run_key for it in world.specs)
    for create in world.plan().of(Create):
        if shared[create.spec.run_key] > 1:
            alone = replace(
                world,
                specs=tuple(
                    it for it in world.specs if it is create.spec or it.run_key != create.spec.run_key
                ),
            )
            assert create.spec.run_key in {it.spec.run_key for it in alone.plan().of(Create)}


@given(worlds())
def test_a_job_of_work_that_any_spec_wants_is_cancelled_only_as_a_duplicate(world: World) -> None:
    wanted = {it.run_key for it in world.specs if not it.suspend}
    for cancel in world.plan().of(Cancel):
        if cancel.owned.tags.run_key in wanted:
            assert cancel.reason is Reason.DUPLICATE


@given(worlds())
def test_a_name_that_shares_a_job_says_so(world: World) -> None:
    for decision in world.plan().decisions:
        for action in decision.actions:
            if action.reason is Reason.SAME_WORK:
                assert isinstance(action, Keep | Hold)
                owner = action.detail.split("`")[1]
                assert owner != decision.name
                assert owner in {it.name for it in world.specs}


def test_a_cancel_of_ours_is_undone_once() -> None:
    world = World(specs=(A, B), jobs=(job(A, "j1", CANCELLED),), lines=stopped("j1", "removed"))
    assert reported(world.plan()) == {"a": ("create restored 1?",), "b": ("hold - same_work",)}


def _specs(*names: str) -> tuple[JobSpec, ...]:
    return tuple(spec(name) for name in names)


def test_a_thousand_equal_specs_are_planned_quickly() -> None:
    world = World(specs=_specs(*(f"night-{number:04}" for number in range(1000))), jobs=(job(A),))
    plan = world.plan()
    assert len(plan.of(Keep)) == 1001
    assert not plan.pending

"""What an unattended run may do: parts of agreed plans, what continues them, and what the ledger alone asks for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.model import Checkout, Job, JobSpec, Target
from reconciler.planning.actions import Cancel, Create, Hold, Plan, Reason
from reconciler.planning.coverage import UNASKED
from reconciler.planning.planner import plan
from reconciler.planning.quota import Quota, apply_quota
from reconciler.planning.standing import Standing
from reconciler.plans.agreement import AgreedPlan, AgreedResult, hold_unagreed, restrict_to_agreed
from reconciler.plans.approval import NamedWork
from reconciler.plans.document import PlanDoc
from reconciler.plans.plan_file import decode, encode, plan_document
from tests.helpers.donors import ended, letters, us, work
from tests.helpers.make import (
    CANCELLED,
    FAILED,
    NOW,
    PROJECT,
    SUCCEEDED,
    TIMED_OUT,
    declared,
    file_of,
    job,
    memory,
    reported,
    retrying,
    seen,
    spec,
    stopped,
)
from tests.helpers.worlds import World, after, worlds
from tests.plans.test_staleness import saved

A, B = spec("a"), spec("b", "w9")
CHANGED = spec("a", "w2")
NIGHTLY = structs.replace(spec("a", rerun="2026-11-29"), period="day")
LAST_NIGHT = structs.replace(NIGHTLY, rerun="2026-11-28")


def agreed(*worlds: World) -> tuple[AgreedPlan, ...]:
    return tuple(AgreedPlan(saved(it), f"plan {at}") for at, it in enumerate(worlds, start=1))


def left(now: World, *before: World) -> AgreedResult:
    """What is left of the plan of `now`, if the plans of these worlds were agreed to."""
    return restrict_to_agreed(agreed(*before), now.plan(), now.observed)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A situation, the situations in which plans were agreed to, and what is done about each name."""

    now: World
    before: tuple[World, ...] = ()
    done: dict[str, tuple[str, ...]]
    guards: tuple[str, ...] = ()
    """The guards that hold something back."""


def world(*jobs: object, specs: tuple[JobSpec, ...] = (A,)) -> World:
    return World(specs=specs, jobs=jobs)  # type: ignore[arg-type]


def waiting(attempts: int) -> JobSpec:
    """A spec whose work waits for the job before it."""
    return spec("a", "w2", on_change="finish", retry=retrying(attempts))


def left_of(before: JobSpec, now: JobSpec) -> World:
    """A job that answered two of three requests before its timeout."""
    early = job(before, "j1", TIMED_OUT, succeeded_requests=2, output_file="o")
    return World(
        specs=(now,), jobs=(early,), works={"a": work("abc", ended("j1", letters(ab="", c="missing")))}
    )


def canary(*outcomes: str, asked: int = 2, cap: int = 2, now: JobSpec | None = None) -> World:
    """A job that was asked some of eight requests, and the outcomes of these."""
    of = spec("a", canary=2, retry=retrying(cap), inputs=(file_of("w1", requests=8),))
    kinds = dict(zip("abcdefgh", outcomes, strict=False))
    phase = SUCCEEDED if len(outcomes) == asked else CANCELLED
    made = job(of, "j1", phase, part=(asked, 8, 0))
    done = us("j1", kinds | dict.fromkeys("abcdefgh"[len(outcomes) : asked], UNASKED))
    return World(
        specs=(now or of,),
        jobs=(made,),
        lines=stopped("j1", "suspended") if phase is CANCELLED else (),
        works={"a": work("abcdefgh", done if phase is CANCELLED else ended("j1", kinds), canary=2)},
    )


def unseen(cap: int = 2) -> World:
    """The work of `canary` before anything of it was submitted."""
    of = spec("a", canary=2, retry=retrying(cap), inputs=(file_of("w1", requests=8),))
    return World(specs=(of,), works={"a": work("abcdefgh", canary=2)})


ONCE, TWICE, OFTEN = (spec("a", retry=retrying(times)) for times in (1, 2, 5))
NOT_AGREED, STALE = ("not_agreed",), ("stale_plan",)
HELD: dict[str, tuple[str, ...]] = {"a": ("hold - not_agreed!",)}
REST: dict[str, tuple[str, ...]] = {"a": ("create retry 2 1/3",)}
RETRIED: dict[str, tuple[str, ...]] = {"a": ("create retry 2",)}
TABLE = {
    "nothing was agreed to": Row(now=world(), done={"a": ("hold - not_agreed!",)}, guards=NOT_AGREED),
    "there is nothing to do": Row(now=world(job(A)), done={"a": ("keep j1 running",)}),
    "the plan contains it": Row(now=world(), before=(world(),), done={"a": ("create new 1",)}),
    "of two plans each is done": Row(
        now=world(specs=(A, B)),
        before=(world(), world(specs=(B,))),
        done={"a": ("create new 1",), "b": ("create new 1",)},
    ),
    "another name is declared beside it": Row(
        now=world(specs=(A, B)),
        before=(world(),),
        done={"a": ("create new 1",), "b": ("hold - not_agreed!",)},
        guards=NOT_AGREED,
    ),
    "the input grew after the review": Row(
        now=world(specs=(CHANGED,)), before=(world(),), done={"a": ("hold - not_agreed!",)}, guards=STALE
    ),
    "a plan that no longer holds stops its other names too": Row(
        now=world(specs=(CHANGED, B)),
        before=(world(specs=(A, B)),),
        done={"a": ("hold - not_agreed!",), "b": ("hold - not_agreed!",)},
        guards=STALE,
    ),
    "a plan that no longer holds stops no other plan": Row(
        now=world(specs=(CHANGED, B)),
        before=(world(), world(specs=(B,))),
        done={"a": ("hold - not_agreed!",), "b": ("create new 1",)},
        guards=STALE,
    ),
    "it is no longer declared": Row(
        now=world(specs=(B,)), before=(world(), world(specs=(B,))), done={"b": ("create new 1",)}
    ),
    "a later plan of the name takes its place": Row(
        now=world(specs=(CHANGED,)), before=(world(), world(specs=(CHANGED,))), done={"a": ("create new 1",)}
    ),
    "a later plan without a change of the name does not": Row(
        now=world(specs=(A, B)),
        before=(world(), world(job(A), specs=(A, B))),
        done={"a": ("create new 1",), "b": ("create new 1",)},
    ),
    "it was applied, and changed since": Row(
        now=world(job(A), specs=(CHANGED,)),
        before=(world(),),
        done={"a": ("hold - not_agreed!", "keep j1 running")},
        guards=NOT_AGREED,
    ),
    "a replacement that the plan contains": Row(
        now=world(job(A), specs=(CHANGED,)),
        before=(world(job(A), specs=(CHANGED,)),),
        done={"a": ("create changed 1", "cancel j1 superseded")},
    ),
    "a cancel that the plan contains": Row(
        now=world(job(A), specs=()), before=(world(job(A), specs=()),), done={"a": ("cancel j1 removed",)}
    ),
    "a cancel of another job of the name": Row(
        now=world(job(A, "j2"), specs=()),
        before=(world(job(A), specs=()),),
        done={"a": ("keep j2 running!",)},
        guards=NOT_AGREED,
    ),
    "a removal without a review": Row(
        now=world(job(A), specs=()), done={"a": ("keep j1 running!",)}, guards=NOT_AGREED
    ),
    "a duplicate": Row(
        now=world(job(A), job(A, "j2", age=50)), done={"a": ("keep j1 running", "cancel j2 duplicate")}
    ),
    "a further attempt": Row(now=world(job(TWICE, "j1", FAILED), specs=(TWICE,)), done=RETRIED),
    "what results show to be left": Row(now=left_of(TWICE, TWICE), done=REST),
    "what results show to be left, after the cap was raised": Row(
        now=left_of(TWICE, OFTEN), done=HELD, guards=NOT_AGREED
    ),
    "the rest of a canary, without a plan": Row(now=canary("", ""), done={"a": ("create part 2 6/8",)}),
    "the retry of a canary's requests": Row(now=canary("", "missing"), done={"a": ("create part 2 1/8",)}),
    "the rest of a canary by the plan that shows it": Row(
        now=canary("", ""), before=(unseen(),), done={"a": ("create part 2 6/8",)}
    ),
    "the rest of a canary, after the cap was raised": Row(
        now=canary("", "", now=structs.replace(unseen(5).specs[0])), done=HELD, guards=NOT_AGREED
    ),
    "what this tool cancelled of a canary, which was declared again": Row(
        now=canary("", asked=4), done=HELD, guards=NOT_AGREED
    ),
    "a raised cap that a reviewed plan shows while the job ran": Row(
        now=left_of(TWICE, OFTEN), before=(world(job(TWICE), specs=(OFTEN,)),), done=REST
    ),
    "a raised cap that a later plan takes back": Row(
        now=left_of(TWICE, OFTEN),
        before=(world(job(TWICE), specs=(OFTEN,)), world(job(TWICE), specs=(TWICE,))),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "a cap that was raised further than a reviewed plan shows": Row(
        now=left_of(A, OFTEN), before=(world(job(A), specs=(TWICE,)),), done=HELD, guards=NOT_AGREED
    ),
    "a further attempt after the cap was lowered": Row(
        now=world(job(OFTEN, "j1", FAILED), specs=(TWICE,)), done=RETRIED
    ),
    "a further attempt after the cap was raised": Row(
        now=world(job(ONCE, "j1", FAILED), specs=(TWICE,)), done=HELD, guards=NOT_AGREED
    ),
    "an attempt that the old cap allowed, and whose job would have the new one": Row(
        now=world(job(TWICE, "j1", FAILED), specs=(OFTEN,)), done=HELD, guards=NOT_AGREED
    ),
    "a cap that was lowered and raised again": Row(
        now=world(job(OFTEN, "j1", FAILED, age=900), job(TWICE, "j2", FAILED, attempt=2), specs=(OFTEN,)),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "the plan contains the further attempt": Row(
        now=world(job(ONCE, "j1", FAILED), specs=(TWICE,)),
        before=(world(job(ONCE, "j1", FAILED), specs=(TWICE,)),),
        done=RETRIED,
    ),
    "the cap was raised further than in the plan": Row(
        now=world(job(ONCE, "j1", FAILED), specs=(OFTEN,)),
        before=(world(job(ONCE, "j1", FAILED), specs=(TWICE,)),),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "the next night": Row(
        now=world(job(LAST_NIGHT, "j1", SUCCEEDED), specs=(NIGHTLY,)), done={"a": ("create rerun 1",)}
    ),
    "the next night with a raised cap": Row(
        now=world(job(LAST_NIGHT, "j1", SUCCEEDED), specs=(structs.replace(NIGHTLY, retry=retrying(5)),)),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "a further attempt of tonight with a raised cap": Row(
        now=world(
            job(structs.replace(LAST_NIGHT, retry=retrying(5)), "j1", SUCCEEDED, age=90_000),
            job(NIGHTLY, "j2", FAILED),
            specs=(structs.replace(NIGHTLY, retry=retrying(5)),),
        ),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "the first night": Row(
        now=world(specs=(NIGHTLY,)), done={"a": ("hold - not_agreed!",)}, guards=NOT_AGREED
    ),
    "the next night with another input": Row(
        now=world(job(structs.replace(LAST_NIGHT, inputs=CHANGED.inputs), "j1", SUCCEEDED), specs=(NIGHTLY,)),
        done={"a": ("hold - not_agreed!",)},
        guards=NOT_AGREED,
    ),
    "every day instead of every month": Row(
        now=world(
            job(structs.replace(NIGHTLY, rerun="2026-10", period="month"), "j1", SUCCEEDED), specs=(NIGHTLY,)
        ),
        done={"a": ("hold - not_agreed!",)},
        guards=NOT_AGREED,
    ),
    "a create that waited for another job of the name": Row(
        now=world(job(A, "j1", SUCCEEDED), specs=(spec("a", "w2", on_change="finish"),)),
        before=(world(job(A), specs=(spec("a", "w2", on_change="finish"),)),),
        done={"a": ("create changed 1",)},
    ),
    "a create with a cap that waited": Row(
        now=world(job(A, "j1", SUCCEEDED), specs=(waiting(3),)),
        before=(world(job(A), specs=(waiting(3),)),),
        done={"a": ("create changed 1",)},
    ),
    "a create whose cap was raised while it waited": Row(
        now=world(job(A, "j1", SUCCEEDED), specs=(waiting(5),)),
        before=(world(job(A), specs=(waiting(3),)),),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "a further attempt of what waited": Row(
        now=world(job(waiting(1), "j2", FAILED), specs=(waiting(5),)),
        before=(world(job(A), specs=(waiting(1),)),),
        done=HELD,
        guards=NOT_AGREED,
    ),
    "work that a person stopped": Row(
        now=world(job(A, "j1", CANCELLED)), before=(world(),), done={"a": ("hold j1 cancelled!",)}
    ),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_what_an_unattended_run_does(row: Row) -> None:
    result = left(row.now, *row.before)
    assert reported(result.plan) == row.done
    assert tuple(it.guard for it in result.refusals) == row.guards


def test_a_raised_cap_is_named() -> None:
    result = left(world(job(A, "j1", FAILED), specs=(OFTEN,)))
    assert [it.message for it in result.refusals] == [
        (
            "no agreed plan contains what is declared now for a; a: "
            "retry.max_attempts was raised from 2 to 5, FAILED was added to retry.on"
        )
    ]
    (hold,) = result.plan.of(Hold)
    assert hold.detail == (
        "retry, retry.max_attempts was raised from 2 to 5, FAILED was added to retry.on, "
        "and no agreed plan contains it"
    )


def writes(plan: Plan) -> set[tuple[str, ...]]:
    """What a plan would write: its creates and its cancels."""
    return {
        (decision.name, *action.spec.run_key)
        if isinstance(action, Create)
        else (decision.name, action.owned.job.id)
        for decision in plan.decisions
        for action in decision.actions
        if isinstance(action, Create | Cancel)
    }


@given(worlds(), worlds(), worlds())
def test_what_is_done_is_planned_and_agreed_to_or_continues_earlier_work(
    now: World, first: World, second: World
) -> None:
    fresh, result = now.plan(), left(now, first, second)
    assert writes(result.plan) <= writes(fresh)
    known = {NamedWork(it.tags.name, it.tags.run_key) for it in now.observed.owned}
    agreed_to = writes(first.plan()) | writes(second.plan())
    for decision in result.plan.decisions:
        for create in decision.of(Create):
            work = NamedWork(decision.name, create.spec.run_key)
            waited = any(
                it.name == decision.name and it.run_key == work.run_key
                for w in (first, second)
                for it in w.specs
            )
            assert (decision.name, *work.run_key) in agreed_to or work in known or waited
            caps = [
                it.retry.max_attempts
                for w in (first, second)
                for it in w.specs
                if (it.name, it.run_key) == (work.name, work.run_key)
            ] + [
                it.tags.terms.max_attempts
                for it in now.observed.owned
                if (it.tags.name, it.tags.run_key) == (work.name, work.run_key)
            ]
            assert max(caps) >= create.spec.retry.max_attempts
        for cancel in decision.of(Cancel):
            assert cancel.duplicate_of or (decision.name, cancel.owned.job.id) in agreed_to


@given(worlds())
def test_the_plan_itself_is_done_whole(now: World) -> None:
    result = left(now, now)
    assert result.plan == now.plan()
    assert result.refusals == ()


@given(worlds())
def test_what_was_applied_is_agreed_to_and_asks_for_nothing(now: World) -> None:
    # A job whose name has its new work from another spec's job is cancelled a plan later: that needs another review.
    assume(all(it.reason is not Reason.SAME_WORK for it in now.plan().of(Hold)))
    then = after(now, now.plan())
    result = left(then, now)
    assert result.refusals == ()
    assert result.plan == then.plan()


@given(worlds(), worlds())
def test_everything_that_is_held_back_is_reported(now: World, before: World) -> None:
    result = left(now, before)
    assert bool(result.refusals) or writes(result.plan) == writes(now.plan())


@given(worlds(), worlds(), st.booleans())
def test_another_agreed_plan_never_takes_away_what_it_does_not_mention(
    now: World, before: World, first: bool
) -> None:
    other = World(specs=(spec("z"),))
    plans = (other, before) if first else (before, other)
    assume(all(it.name != "z" for it in now.specs))
    both, one = left(now, *plans), left(now, before)
    assert writes(both.plan) == writes(one.plan)


@given(worlds(), worlds(), st.integers(0, 40))
def test_what_is_held_without_a_quota_is_held_with_one_so_it_needs_no_room(
    now: World, before: World, room: int
) -> None:
    kept = {it.spec.name for it in left(now, before).plan.of(Create)}
    bounded = apply_quota(now.plan(), now.observed.pending, Quota(workspace=room), kept)
    result = restrict_to_agreed(agreed(before), bounded, now.observed)
    assert {it.spec.name for it in result.plan.of(Create)} <= kept


C, OLD = spec("b", "w2"), spec("a", "w0")
BY_US = stopped("j1", "removed", run_id="4711")


def doubted(*specs: JobSpec, jobs: tuple[Job, ...] = ()) -> Plan:
    """A plan with a create of `a` that rests on the ledger."""
    observed = seen(specs, job(A, "j1", CANCELLED), *jobs)
    return plan(declared(*specs), observed, memory(*BY_US), now=NOW)


def kept(made: Plan) -> PlanDoc:
    """A plan as it is read from the file that holds it."""
    document = plan_document(
        made, target=Target(base_url="https://api.mistral.ai", project=PROJECT), checkout=Checkout(),
        declared=declared(A), observed=seen((A,)), refusals=(), now=NOW,
    )  # fmt: skip
    return decode(encode(document))


def test_without_an_agreed_plan_it_is_held_with_the_way_out_and_the_rest_goes_on() -> None:
    held = hold_unagreed(doubted(A, C))
    assert reported(held) == {"a": ("hold - not_agreed!",), "b": ("create new 1",)}
    (hold,) = held.of(Hold)
    assert hold.detail == "only by the ledger: cancelled by unknown, run 4711"
    assert "reconciler apply plan.json" in hold.hint
    assert [it.standing for it in held.decisions] == [Standing.NOT_AGREED, Standing.NOT_SUBMITTED]


def test_the_job_that_it_would_replace_stays_and_of_twins_the_oldest() -> None:
    held = hold_unagreed(doubted(A, jobs=(job(OLD, "j2", age=9), job(OLD, "j3", age=8))))
    assert reported(held) == {"a": ("hold - not_agreed!", "keep j2 running", "cancel j3 duplicate")}


def test_a_saved_plan_that_says_so_is_an_agreement() -> None:
    made = doubted(A, C)
    assert hold_unagreed(made, kept(made)) == made


@pytest.mark.parametrize("other", ["another name", "no doubt", "another run key"])
def test_a_saved_plan_that_says_something_else_is_none(other: str) -> None:
    made = doubted(A)
    agreed = {
        "another name": doubted(spec("x", "w1")),
        "no doubt": plan(declared(A), seen((A,)), memory(), now=NOW),
        "another run key": structs.replace(
            made,
            decisions=tuple(
                structs.replace(
                    it,
                    actions=tuple(
                        structs.replace(create, spec=spec("a", rerun="2")) for create in it.of(Create)
                    ),
                )
                for it in made.decisions
            ),
        ),
    }[other]
    assert {it.reason for it in hold_unagreed(made, kept(agreed)).of(Hold)} == {Reason.NOT_AGREED}

"""What a run may submit without an agreed plan: each row is a plan with a create that rests on the ledger."""

from __future__ import annotations

import pytest
from msgspec import structs

from reconciler.model import Checkout, Job, JobSpec, Target
from reconciler.planning.actions import Create, Hold, Plan, Reason
from reconciler.planning.planner import plan
from reconciler.planning.standing import Standing
from reconciler.plans.agreement import hold_unagreed
from reconciler.plans.document import PlanDoc
from reconciler.plans.plan_file import decode, encode, plan_document
from tests.helpers.make import CANCELLED, NOW, PROJECT, declared, job, memory, reported, seen, spec, stopped

A, OLD, B = spec("a"), spec("a", "w0"), spec("b", "w2")
BY_US = stopped("j1", "removed", run_id="4711")


def planned(*specs: JobSpec, jobs: tuple[Job, ...] = ()) -> Plan:
    observed = seen(specs, job(A, "j1", CANCELLED), *jobs)
    return plan(declared(*specs), observed, memory(*BY_US), now=NOW)


def saved(made: Plan) -> PlanDoc:
    """A plan as it is read from the file that holds it."""
    document = plan_document(
        made, target=Target(base_url="https://api.mistral.ai", project=PROJECT), checkout=Checkout(),
        declared=declared(A), observed=seen((A,)), refusals=(), now=NOW,
    )  # fmt: skip
    return decode(encode(document))


def test_without_an_agreed_plan_it_is_held_with_the_way_out_and_the_rest_goes_on() -> None:
    held = hold_unagreed(planned(A, B))
    assert reported(held) == {"a": ("hold - not_agreed!",), "b": ("create new 1",)}
    (hold,) = held.of(Hold)
    assert hold.detail == "only by the ledger: cancelled by unknown, run 4711"
    assert "reconciler apply plan.json" in hold.hint
    assert [it.standing for it in held.decisions] == [Standing.NOT_AGREED, Standing.NOT_SUBMITTED]


def test_the_job_that_it_would_replace_stays_and_of_twins_the_oldest() -> None:
    held = hold_unagreed(planned(A, jobs=(job(OLD, "j2", age=9), job(OLD, "j3", age=8))))
    assert reported(held) == {"a": ("hold - not_agreed!", "keep j2 running", "cancel j3 duplicate")}


def test_a_saved_plan_that_says_so_is_an_agreement() -> None:
    made = planned(A, B)
    assert hold_unagreed(made, saved(made)) == made


@pytest.mark.parametrize("other", ["another name", "no doubt", "another run key"])
def test_a_saved_plan_that_says_something_else_is_none(other: str) -> None:
    made = planned(A)
    agreed = {
        "another name": planned(spec("x", "w1")),
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
    assert {it.reason for it in hold_unagreed(made, saved(agreed)).of(Hold)} == {Reason.NOT_AGREED}

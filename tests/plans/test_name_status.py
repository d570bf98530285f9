"""How far names are from their end, how often to look, and what later rounds may buy."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.model import Job, Ours, Phase
from reconciler.model.tags import read
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.planning.standing import Standing
from reconciler.plans.approval import agreed_to
from reconciler.plans.document import ActionDoc, CancelDoc, CreateDoc, DecisionDoc, HoldDoc, JobDoc, KeepDoc
from reconciler.plans.name_status import Stand, progress, stand, together
from reconciler.runs.wait import Patience
from tests.helpers.make import ACTIVE, NOW, job, modest, spec

JOB = JobDoc(id="j1", status="RUNNING")
A, B = spec("a"), spec("b", "w2")


def decided(standing: Standing, *actions: ActionDoc) -> DecisionDoc:
    return DecisionDoc(name="a", declared_at="a.yaml:1", standing=standing, actions=actions)


LOOK = HoldDoc(reason="any", attention=True)
"""Something that a person should look at."""
READINESS: dict[str, tuple[DecisionDoc, Stand]] = {
    "succeeded": (decided(Standing.SUCCEEDED, KeepDoc(reason=Reason.SUCCEEDED, job=JOB)), Stand.DONE),
    "too many failed": (
        decided(Standing.SUCCEEDED, KeepDoc(reason=Reason.SUCCEEDED, job=JOB, attention=True)),
        Stand.ATTENTION,
    ),
    "its record is gone": (decided(Standing.SUCCESS_GONE, KeepDoc(reason=Reason.RECORD_GONE)), Stand.DONE),
    "running": (decided(Standing.RUNNING, KeepDoc(reason=Reason.RUNNING, job=JOB)), Stand.RUNNING),
    "an adopted job that runs": (
        decided(Standing.RUNNING, KeepDoc(reason=Reason.ADOPTED, job=JOB)),
        Stand.RUNNING,
    ),
    "stopping": (decided(Standing.STOPPING, HoldDoc(reason=Reason.STOPPING, job=JOB)), Stand.RUNNING),
    "another has to end first": (
        decided(Standing.WAITING, HoldDoc(reason=Reason.WAITING, job=JOB)),
        Stand.RUNNING,
    ),
    "an unknown status": (decided(Standing.UNKNOWN_STATUS, LOOK), Stand.RUNNING),
    "an open create": (
        decided(Standing.UNSETTLED, HoldDoc(reason=Reason.UNSETTLED, until=5.0)),
        Stand.RUNNING,
    ),
    "failed": (decided(Standing.FAILED, LOOK), Stand.ATTENTION),
    "cancelled by a person": (decided(Standing.CANCELLED, LOOK), Stand.ATTENTION),
    "no room": (decided(Standing.NO_ROOM, HoldDoc(reason=Reason.QUOTA)), Stand.PENDING),
    "never any room": (decided(Standing.NO_ROOM, LOOK), Stand.ATTENTION),
    "an older checkout": (
        decided(Standing.OTHER_HISTORY, HoldDoc(reason=Reason.OTHER_HISTORY, job=JOB)),
        Stand.PENDING,
    ),
    "not submitted": (
        decided(Standing.NOT_SUBMITTED, CreateDoc(reason=Reason.NEW, work="v1:0")),
        Stand.PENDING,
    ),
    "to be cancelled": (
        decided(Standing.SUSPENDED, CancelDoc(reason=Reason.SUSPENDED, job=JOB)),
        Stand.PENDING,
    ),
    "suspended": (decided(Standing.SUSPENDED, HoldDoc(reason=Reason.SUSPENDED)), Stand.IDLE),
}


@pytest.mark.parametrize(("decision", "expected"), READINESS.values(), ids=READINESS.keys())
def test_the_standing_says_how_far_a_name_is(decision: DecisionDoc, expected: Stand) -> None:
    assert stand(decision) is expected


def test_a_wait_goes_on_for_room_that_the_run_may_use() -> None:
    assert stand(decided(Standing.NO_ROOM, HoldDoc(reason=Reason.QUOTA)), {"a"}) is Stand.RUNNING
    assert stand(decided(Standing.NO_ROOM, LOOK), {"a"}) is Stand.ATTENTION


counts = st.integers(0, 10**7)


@modest
@given(counts, counts, counts, st.none() | st.integers(0, 2 * int(NOW)), st.floats(0, 2 * NOW))
def test_no_progress_divides_by_nought(
    total: int, completed: int, failed: int, started: int | None, now: float
) -> None:
    it = Job(
        id="j1",
        phase=Phase.ACTIVE,
        status="RUNNING",
        endpoint="/v1/x",
        created_at=0,
        started_at=started,
        total_requests=total,
        completed_requests=completed,
        failed_requests=failed,
    )
    one = progress("a", it, now)
    assert 0 <= one.share <= 1
    assert one.seconds_left is None or one.seconds_left >= 0
    assert 0 <= together([one, one], "both").share <= 1
    assert together([], "none").share == 0


def test_the_time_left_is_that_of_the_pace_so_far() -> None:
    it = Job(
        id="j1",
        phase=Phase.ACTIVE,
        status="RUNNING",
        endpoint="/v1/x",
        created_at=0,
        started_at=100,
        total_requests=400,
        completed_requests=100,
    )
    assert progress("a", it, 150).seconds_left == 150
    assert progress("a", structs.replace(it, total_requests=0, completed_requests=0), 150).total is None


def test_intervals_grow_to_a_limit_and_no_two_runners_agree() -> None:
    patience = Patience()
    mine = list(islice(patience.pauses(random.Random(1)), 30))
    theirs = list(islice(patience.pauses(random.Random(2)), 30))
    assert mine != theirs
    assert all(1.6 <= pause <= 72 for pause in mine)
    assert all(pause >= 48 for pause in mine[12:])


# Agreements.


def decision(name: str, *actions: Action) -> Decision:
    it = {"a": A, "b": B}.get(name)
    return Decision(name=name, spec=it, standing=Standing.NOT_SUBMITTED, actions=actions)


def plan(*decisions: Decision) -> Plan:
    return Plan(decisions=decisions)


def create(reason: Reason, attempt: int = 1) -> Create:
    return Create(spec=A, attempt=attempt, reason=reason)


def live() -> Ours:
    ours = read(job(A, "j1", ACTIVE))
    assert isinstance(ours, Ours)
    return ours


FIRST = plan(decision("a", create(Reason.NEW)))
HELD = plan(decision("a", Hold(reason=Reason.QUOTA)))
LATER: dict[str, tuple[Plan, Plan, bool]] = {
    "a further attempt": (FIRST, plan(decision("a", create(Reason.RETRY, 2))), True),
    "the same attempt once more": (FIRST, FIRST, False),
    "what was sent as a retry": (plan(decision("a", create(Reason.RETRY, 2))),) * 2 + (False,),
    "what is restored meanwhile": (FIRST, plan(decision("a", create(Reason.RESTORED, 2))), False),
    "a name that was not in the plan": (plan(), plan(decision("a", create(Reason.RETRY, 2))), False),
    "what found no room": (HELD, FIRST, True),
    "what never finds room": (plan(decision("a", Hold(reason=Reason.QUOTA, attention=True))), FIRST, False),
    "what waited for another job": (plan(decision("a", Hold(reason=Reason.WAITING))), FIRST, False),
    "what somebody deleted meanwhile": (
        plan(decision("a", Keep(job=None, reason=Reason.SUCCEEDED))),
        FIRST,
        False,
    ),
    "a cancel": (FIRST, plan(decision("a", Cancel(ours=live(), reason=Reason.SUSPENDED))), False),
    "half of a replacement": (
        HELD,
        plan(decision("a", create(Reason.CHANGED), Cancel(ours=live(), reason=Reason.SUPERSEDED))),
        False,
    ),
}


@pytest.mark.parametrize(("first", "later", "allowed"), LATER.values(), ids=LATER.keys())
def test_later_rounds_do_only_what_was_agreed_to(first: Plan, later: Plan, allowed: bool) -> None:
    assert agreed_to(first).cut(later).pending is allowed


WAITS = plan(decision("a", Hold(reason=Reason.WAITING)))


@pytest.mark.parametrize(("shown", "allowed"), [(FIRST, True), (HELD, True), (WAITS, False)])
def test_what_another_runner_left_no_room_for_is_bought_later_only_where_it_was_agreed_to(
    shown: Plan, allowed: bool
) -> None:
    assert agreed_to(shown, done=HELD).cut(FIRST).pending is allowed


def test_nothing_that_a_round_has_sent_is_sent_again() -> None:
    agreement = agreed_to(HELD)
    assert agreement.cut(FIRST).pending
    assert not agreement.after(FIRST).cut(FIRST).pending
    assert agreement.after(FIRST).cut(plan(decision("a", create(Reason.RETRY, 2)))).pending

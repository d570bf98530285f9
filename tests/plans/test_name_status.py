"""How far names are from their end, how often `wait` looks, and what later rounds may create."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.cli.output.job_bars import WIDTH, cells, seconds_left
from reconciler.model import Job, OwnedJob, Phase
from reconciler.model.tags import read
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.planning.next_part import NextPart
from reconciler.planning.standing import Readiness, Standing
from reconciler.planning.tally import Tally
from reconciler.plans.action_documents import ActionDoc, CancelDoc, CreateDoc, HoldDoc, JobDoc, KeepDoc
from reconciler.plans.approval import approval_of
from reconciler.plans.document import DecisionDoc
from reconciler.plans.name_status import again, readiness
from reconciler.plans.settings_document import SettingsDoc
from reconciler.runs.wait import PollPolicy
from tests.helpers.make import ACTIVE, NOW, job, spec

JOB = JobDoc(id="j1", status="RUNNING")
A, B = spec("a"), spec("b", "w2")


def decided(standing: Standing, *actions: ActionDoc) -> DecisionDoc:
    return DecisionDoc(name="a", declared_at="a.yaml:1", standing=standing, actions=actions)


LOOK = HoldDoc(reason="any", attention=True)
"""Something that a person should look at."""
READINESS: dict[str, tuple[DecisionDoc, Readiness]] = {
    "succeeded": (decided(Standing.SUCCEEDED, KeepDoc(reason=Reason.SUCCEEDED, job=JOB)), Readiness.DONE),
    "too many failed": (
        decided(Standing.SUCCEEDED, KeepDoc(reason=Reason.SUCCEEDED, job=JOB, attention=True)),
        Readiness.ATTENTION,
    ),
    "its record is gone": (
        decided(Standing.SUCCESS_GONE, KeepDoc(reason=Reason.RECORD_GONE)),
        Readiness.DONE,
    ),
    "running": (decided(Standing.RUNNING, KeepDoc(reason=Reason.RUNNING, job=JOB)), Readiness.RUNNING),
    "an adopted job that runs": (
        decided(Standing.RUNNING, KeepDoc(reason=Reason.ADOPTED, job=JOB)),
        Readiness.RUNNING,
    ),
    "stopping": (decided(Standing.STOPPING, HoldDoc(reason=Reason.STOPPING, job=JOB)), Readiness.RUNNING),
    "another has to end first": (
        decided(Standing.WAITING, HoldDoc(reason=Reason.WAITING, job=JOB)),
        Readiness.RUNNING,
    ),
    "an unknown status": (decided(Standing.UNKNOWN_STATUS, LOOK), Readiness.RUNNING),
    "an open create": (
        decided(Standing.UNSETTLED, HoldDoc(reason=Reason.UNSETTLED, until=5.0)),
        Readiness.RUNNING,
    ),
    "failed": (decided(Standing.FAILED, LOOK), Readiness.ATTENTION),
    "cancelled by a person": (decided(Standing.CANCELLED, LOOK), Readiness.ATTENTION),
    "no room": (decided(Standing.NO_ROOM, HoldDoc(reason=Reason.QUOTA)), Readiness.PENDING),
    "never any room": (decided(Standing.NO_ROOM, LOOK), Readiness.ATTENTION),
    "another folder": (
        decided(Standing.OTHER_ROOT, HoldDoc(reason=Reason.OTHER_ROOT, job=JOB)),
        Readiness.ATTENTION,
    ),
    "an older checkout": (
        decided(Standing.OTHER_HISTORY, HoldDoc(reason=Reason.OTHER_HISTORY, job=JOB)),
        Readiness.PENDING,
    ),
    "not submitted": (
        decided(
            Standing.NOT_SUBMITTED,
            CreateDoc(reason=Reason.NEW, work="v1:0", endpoint="/v1/embeddings", settings=SettingsDoc()),
        ),
        Readiness.PENDING,
    ),
    "to be cancelled": (
        decided(Standing.SUSPENDED, CancelDoc(reason=Reason.SUSPENDED, job=JOB)),
        Readiness.PENDING,
    ),
    "suspended": (decided(Standing.SUSPENDED, HoldDoc(reason=Reason.SUSPENDED)), Readiness.IDLE),
}


@pytest.mark.parametrize(("decision", "expected"), READINESS.values(), ids=READINESS.keys())
def test_the_standing_says_how_far_a_name_is(decision: DecisionDoc, expected: Readiness) -> None:
    assert readiness(decision) is expected


def test_a_wait_goes_on_for_room_that_the_run_may_use() -> None:
    assert readiness(decided(Standing.NO_ROOM, HoldDoc(reason=Reason.QUOTA)), {"a"}) is Readiness.RUNNING
    assert readiness(decided(Standing.NO_ROOM, LOOK), {"a"}) is Readiness.ATTENTION


counts = st.integers(0, 10**7)


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
    assert (seconds_left(it, now) or 0) >= 0
    for jobs in ([it], [it, it], []):
        assert len(cells("a", jobs, now)[1]) == WIDTH


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
    assert seconds_left(it, 150) == 150
    assert cells("a", [it], 150)[2:] == ("100 of 400", "", "2 min left")
    unknown = structs.replace(it, total_requests=0, completed_requests=0)
    assert cells("a", [it, unknown], 150)[2] == "100 of ?"


def test_intervals_grow_to_a_limit_and_no_two_runners_agree() -> None:
    policy = PollPolicy()
    mine = list(islice(policy.pauses(random.Random(1)), 30))
    theirs = list(islice(policy.pauses(random.Random(2)), 30))
    assert mine != theirs
    assert all(1.6 <= pause <= 72 for pause in mine)
    assert all(pause >= 48 for pause in mine[12:])


# Agreements.


def decision(name: str, *actions: Action) -> Decision:
    it = {"a": A, "b": B}.get(name)
    standings = {
        Reason.RETRY: Standing.RETRY,
        Reason.RESTORED: Standing.RESTORED,
        Reason.QUOTA: Standing.NO_ROOM,
    }
    standing = standings.get(actions[0].reason, Standing.NOT_SUBMITTED)
    return Decision(name=name, spec=it, standing=standing, actions=actions)


def plan(*decisions: Decision) -> Plan:
    return Plan(decisions=decisions)


def create(reason: Reason, attempt: int = 1) -> Create:
    return Create(spec=A, attempt=attempt, reason=reason)


def live() -> OwnedJob:
    owned = read(job(A, "j1", ACTIVE))
    assert isinstance(owned, OwnedJob)
    return owned


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
    "what was deleted meanwhile": (
        plan(decision("a", Keep(job=None, reason=Reason.SUCCEEDED))),
        FIRST,
        False,
    ),
    "a cancel": (FIRST, plan(decision("a", Cancel(owned=live(), reason=Reason.SUSPENDED))), False),
    "half of a replacement": (
        HELD,
        plan(decision("a", create(Reason.CHANGED), Cancel(owned=live(), reason=Reason.SUPERSEDED))),
        False,
    ),
}


@pytest.mark.parametrize(("first", "later", "allowed"), LATER.values(), ids=LATER.keys())
def test_later_rounds_do_only_what_was_agreed_to(first: Plan, later: Plan, allowed: bool) -> None:
    assert approval_of(first).restrict(later).pending is allowed


WAITS = plan(decision("a", Hold(reason=Reason.WAITING)))


@pytest.mark.parametrize(("shown", "allowed"), [(FIRST, True), (HELD, True), (WAITS, False)])
def test_a_create_that_found_no_room_is_made_later_only_if_it_was_agreed_to(
    shown: Plan, allowed: bool
) -> None:
    assert approval_of(shown, done=HELD).restrict(FIRST).pending is allowed


def test_nothing_that_a_round_has_sent_is_sent_again() -> None:
    approval = approval_of(HELD)
    assert approval.restrict(FIRST).pending
    assert not approval.record_attempts(FIRST).restrict(FIRST).pending
    assert approval.record_attempts(FIRST).restrict(plan(decision("a", create(Reason.RETRY, 2)))).pending


RUNNING, ENDED = job(A, "4fb29d1c-0000"), job(A, "4fb29d1c-0000", Phase.SUCCEEDED)
CANARY = NextPart(kind="canary", places=[0], of=3, held=2)
WHOLE = NextPart(kind="new", places=[0, 1, 2], of=3)
PASSES: dict[str, tuple[Standing, Action, Tally | None, str]] = {
    "a canary whose rest is new": (
        Standing.RUNNING,
        Keep(job=RUNNING, reason=Reason.RUNNING),
        Tally(of=3, live=1, new=2),
        "when 4fb29d1c has ended",
    ),
    "a job of the whole work": (
        Standing.RUNNING,
        Keep(job=RUNNING, reason=Reason.RUNNING),
        Tally(of=3, live=3),
        "",
    ),
    "a job of unknown size": (Standing.RUNNING, Keep(job=RUNNING, reason=Reason.RUNNING), None, ""),
    "complete work": (
        Standing.SUCCEEDED,
        Keep(job=ENDED, reason=Reason.SUCCEEDED),
        Tally(of=3, answered=3),
        "",
    ),
    "the create of a canary": (
        Standing.PART,
        Create(spec=A, attempt=1, reason=Reason.NEW, part=CANARY),
        None,
        "when its job has ended",
    ),
    "a create of everything": (
        Standing.PART,
        Create(spec=A, attempt=1, reason=Reason.NEW, part=WHOLE),
        None,
        "",
    ),
    "a create that waits for another job": (
        Standing.WAITING,
        Hold(job=RUNNING, reason=Reason.WAITING),
        None,
        "when 4fb29d1c has ended",
    ),
    "a create without room": (Standing.NO_ROOM, Hold(reason=Reason.QUOTA), None, "when there is room"),
    "a create of unknown outcome": (
        Standing.UNSETTLED,
        Hold(reason=Reason.UNSETTLED, until=NOW),
        None,
        "when the outcome of its create is known",
    ),
    "results that may be late": (
        Standing.ANSWERS_LATE,
        Hold(reason=Reason.ANSWERS_LATE, until=NOW),
        None,
        "when its results are complete",
    ),
    "what a person decides": (
        Standing.INCOMPLETE,
        Hold(reason=Reason.INCOMPLETE, attention=True),
        Tally(of=3, answered=1, failed=2),
        "",
    ),
    "more than the quota ever allows": (
        Standing.NO_ROOM,
        Hold(reason=Reason.QUOTA, attention=True),
        None,
        "",
    ),
    "what a spec suspends": (Standing.SUSPENDED, Hold(reason=Reason.SUSPENDED), None, ""),
}


@pytest.mark.parametrize(("standing", "action", "states", "expected"), PASSES.values(), ids=list(PASSES))
def test_what_goes_on_with_a_later_apply_says_when(
    standing: Standing, action: Action, states: Tally | None, expected: str
) -> None:
    decision = Decision(name="a", spec=A, standing=standing, actions=(action,), states=states)
    assert again(decision) == expected

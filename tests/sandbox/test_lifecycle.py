"""The course of a job, as a pure function of time."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.sandbox.lifecycle import Course, State, Status, end, final, state, status

START = 1_800_000_000.0

RANK = {
    Status.QUEUED: 0,
    Status.RUNNING: 1,
    Status.CANCELLATION_REQUESTED: 2,
    Status.SUCCESS: 3,
    Status.FAILED: 3,
    Status.TIMEOUT_EXCEEDED: 3,
    Status.CANCELLED: 3,
}


def course(requests: int = 100, **facts: object) -> Course:
    usual = {"created_at": START, "timeout_hours": 24, "speed": 1.0}
    return Course(requests=requests, **(usual | facts))  # type: ignore[arg-type]


def reported(job: Course, after: float) -> tuple[str, int, int, int]:
    now = state(job, START + after)
    return now.status, now.total_requests, now.succeeded_requests, now.failed_requests


def test_a_job_is_queued_then_counted_then_runs_then_succeeds() -> None:
    job = course(100)

    assert reported(job, 0.0) == ("QUEUED", 0, 0, 0)
    assert reported(job, 0.6) == ("QUEUED", 100, 0, 0)
    assert reported(job, 1.0) == ("RUNNING", 100, 0, 0)
    assert reported(job, 2.01) == ("RUNNING", 100, 50, 0)
    assert reported(job, 3.0) == ("SUCCESS", 100, 100, 0)


def test_the_times_are_reported_once_they_have_come() -> None:
    job = course(100)

    assert (state(job, START + 0.9).started_at, state(job, START + 0.9).completed_at) == (None, None)
    assert (state(job, START + 1.5).started_at, state(job, START + 1.5).completed_at) == (START + 1, None)
    assert (state(job, START + 99).started_at, state(job, START + 99).completed_at) == (START + 1, START + 3)


def test_failing_requests_are_counted_as_they_are_reached() -> None:
    job = course(10, failing=(0, 1, 9))

    assert reported(job, 1.11) == ("RUNNING", 10, 3, 2)
    assert reported(job, 5.0) == ("SUCCESS", 10, 7, 3)


def test_a_refused_job_fails_without_ever_running() -> None:
    job = course(10, refused=True)

    assert reported(job, 0.4) == ("QUEUED", 0, 0, 0)
    assert reported(job, 0.5) == ("FAILED", 0, 0, 0)
    assert state(job, START + 9).started_at is None


def test_a_stuck_job_answers_half_and_runs_into_its_timeout() -> None:
    job = course(9, stuck=True, timeout_hours=2)

    assert reported(job, 7199) == ("RUNNING", 9, 4, 0)
    assert reported(job, 7200) == ("TIMEOUT_EXCEEDED", 9, 4, 0)


def test_a_job_that_is_too_large_for_its_timeout_keeps_what_it_answered() -> None:
    job = course(1_000_000, timeout_hours=1)

    assert reported(job, 3600) == ("TIMEOUT_EXCEEDED", 1_000_000, 179_950, 0)


def test_a_cancel_stops_the_answers_at_once_and_the_job_soon() -> None:
    job = course(100, cancelled_at=START + 2.01)

    assert reported(job, 2.0) == ("RUNNING", 100, 50, 0)
    assert reported(job, 2.02) == ("CANCELLATION_REQUESTED", 100, 50, 0)
    assert reported(job, 2.6) == ("CANCELLED", 100, 50, 0)


def test_a_job_that_is_cancelled_before_it_was_counted_stays_at_zero() -> None:
    job = course(100, cancelled_at=START + 0.1)

    assert reported(job, 0.2) == ("CANCELLATION_REQUESTED", 0, 0, 0)
    assert reported(job, 99) == ("CANCELLED", 0, 0, 0)
    assert state(job, START + 99).started_at is None


def test_a_cancel_after_the_end_changes_nothing() -> None:
    assert state(course(100, cancelled_at=START + 3), START + 99) == state(course(100), START + 99)


def test_speed_divides_every_time() -> None:
    slow, fast = course(100), course(100, speed=10.0)

    for seconds in (0.0, 0.6, 1.21, 2.01, 2.9, 3.1, 90_000.0):
        assert reported(fast, seconds / 10) == reported(slow, seconds)


@pytest.mark.parametrize(
    ("facts", "ending"),
    [({}, "SUCCESS"), ({"refused": True}, "FAILED"), ({"stuck": True}, "TIMEOUT_EXCEEDED")],
)
def test_at_infinite_speed_a_job_has_ended_when_it_is_created(facts: dict[str, bool], ending: str) -> None:
    now = state(course(10, speed=math.inf, **facts), START)

    assert (now.status, now.completed_at) == (ending, START)


def test_before_its_creation_a_job_is_queued() -> None:
    assert reported(course(10, speed=math.inf), -1.0) == ("QUEUED", 0, 0, 0)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    requests = draw(st.integers(1, 500) | st.integers(1, 10**6))
    return Course(
        created_at=START,
        requests=requests,
        timeout_hours=draw(st.integers(1, 168)),
        speed=draw(st.sampled_from([0.5, 1.0, 7.0, 1e6, math.inf])),
        refused=draw(st.booleans()),
        stuck=draw(st.booleans()),
        failing=sorted(draw(st.sets(st.integers(0, min(requests, 500) - 1), max_size=9))),
        cancelled_at=draw(st.none() | moments),
    )


moments = st.floats(START - 10, START + 700_000) | st.floats(START - 1, START + 20)


def counts(now: State) -> tuple[int, ...]:
    return now.total_requests, now.succeeded_requests, now.failed_requests, now.completed_requests


@given(courses(), st.lists(moments, min_size=2, max_size=8).map(sorted))
def test_as_time_goes_on_nothing_is_taken_back(job: Course, times: list[float]) -> None:
    states = [state(job, now) for now in times]

    for before, after in pairwise(states):
        assert RANK[before.status] <= RANK[after.status]
        assert all(earlier <= later for earlier, later in zip(counts(before), counts(after), strict=True))
        assert before.started_at in (None, after.started_at)
        if before.completed_at is not None:
            assert before == after


@given(courses(), moments)
def test_the_counts_fit_together_at_any_moment(job: Course, now: float) -> None:
    seen = state(job, now)

    assert seen.completed_requests <= seen.total_requests <= job.requests
    assert seen.failed_requests <= len(job.failing)
    assert (seen.completed_at is not None) == (RANK[seen.status] == 3)
    assert seen.started_at is not None or seen.completed_requests == 0
    assert seen.completed_at is None or seen.started_at is None or seen.started_at <= seen.completed_at
    assert seen.status is status(job, now)


@given(courses())
def test_only_a_success_has_done_every_request(job: Course) -> None:
    last = final(job)

    assert (last.completed_at, last.status) == end(job)
    if last.status is Status.SUCCESS:
        assert last.completed_requests == last.total_requests == job.requests
    if last.status is Status.FAILED:
        assert last.completed_requests == 0


@given(courses(), moments)
def test_a_cancel_never_changes_the_past(job: Course, now: float) -> None:
    undisturbed = Course(
        created_at=job.created_at,
        requests=job.requests,
        timeout_hours=job.timeout_hours,
        speed=job.speed,
        refused=job.refused,
        stuck=job.stuck,
        failing=job.failing,
    )

    if job.cancelled_at is None or now < job.cancelled_at:
        assert state(job, now) == state(undisturbed, now)

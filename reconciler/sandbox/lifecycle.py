"""The state of a job: a pure function of how it was created, when it was cancelled, and the time.

Nothing is written while a job runs. Its course is fixed when it is created, and a cancel only cuts it short. So all
reads agree, from any process and after any time:

    created --0.5 s--> validated --0.5 s--> started --20 ms a request--> SUCCESS
       |                   |                   |
       | total_requests 0  | or FAILED         | or TIMEOUT_EXCEEDED, timeout_hours after it was created
       +----- QUEUED ------+------ QUEUED -----+------ RUNNING ...
    a cancel before the end: CANCELLATION_REQUESTED --0.5 s--> CANCELLED; nothing is answered in between

All times are divided by the speed that the job was created with.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

VALIDATED_AFTER = 0.5
"""Seconds from creation until the requests are counted, or the job fails validation."""

STARTED_AFTER = 1.0
"""Seconds from creation until the first request is processed."""

SECONDS_A_REQUEST = 0.02
"""Seconds that one request takes."""

CANCELLED_AFTER = 0.5
"""Seconds from a cancel until the job is CANCELLED."""


class Status(StrEnum):
    """The statuses of the API."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    TIMEOUT_EXCEEDED = "TIMEOUT_EXCEEDED"
    CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"
    CANCELLED = "CANCELLED"


class Course(Struct, frozen=True, kw_only=True):
    """All facts that decide a job's state over time."""

    created_at: float
    """Unix seconds."""
    requests: int
    """How many requests the job has."""
    timeout_hours: int
    """Hours from creation until the job's timeout."""
    speed: float
    """How many times faster than normal the job runs; if infinite, it ends at once."""
    refused: bool = False
    """The job fails validation: no request is processed."""
    stuck: bool = False
    """Half of the requests are answered, and then no more."""
    failing: Sequence[int] = ()
    """Positions of the requests that fail, ascending."""
    cancelled_at: float | None = None
    """When a cancel arrived, in Unix seconds. A cancel after the end has no effect."""

    def after(self, seconds: float) -> float:
        """Return the time that is so many of the job's seconds after its creation."""
        return self.created_at + seconds / self.speed


class State(Struct, frozen=True, kw_only=True):
    """The state of a job at one time, with the names of the API."""

    status: Status
    started_at: float | None
    """When the first request was processed; None before that."""
    completed_at: float | None
    """When the job ended; None before that."""
    total_requests: int
    """How many requests there are; 0 until they are counted."""
    completed_requests: int
    """How many requests are processed. They are the job's first ones."""
    succeeded_requests: int
    """How many requests were answered."""
    failed_requests: int
    """How many requests failed."""


def state(course: Course, now: float) -> State:
    """Return the state of the job at `now`, in Unix seconds."""
    ends_at, _ = end(course)
    seen = min(now, ends_at) if course.cancelled_at is None else min(now, ends_at, course.cancelled_at)
    completed = _completed(course, seen)
    failed = bisect_left(course.failing, completed)
    started_at = course.after(STARTED_AFTER)
    return State(
        status=status(course, now),
        started_at=started_at if not course.refused and seen >= started_at else None,
        completed_at=ends_at if now >= ends_at else None,
        total_requests=course.requests if not course.refused and seen >= course.after(VALIDATED_AFTER) else 0,
        completed_requests=completed,
        succeeded_requests=completed - failed,
        failed_requests=failed,
    )


def end(course: Course) -> tuple[float, Status]:
    """Return when and how the job ends, unless a cancel is still to come."""
    ends_at, ending = _end_undisturbed(course)
    if course.cancelled_at is None or course.cancelled_at >= ends_at:
        return ends_at, ending
    return course.cancelled_at + CANCELLED_AFTER / course.speed, Status.CANCELLED


def final(course: Course) -> State:
    """Return the state of the job after its end, unless a cancel is still to come."""
    return state(course, math.inf)


def status(course: Course, now: float) -> Status:
    """Return the status at `now`."""
    ends_at, ending = end(course)
    if now >= ends_at:
        return ending
    if ending is Status.CANCELLED and course.cancelled_at is not None and now >= course.cancelled_at:
        return Status.CANCELLATION_REQUESTED
    return Status.RUNNING if not course.refused and now >= course.after(STARTED_AFTER) else Status.QUEUED


def _end_undisturbed(course: Course) -> tuple[float, Status]:
    if course.refused:
        return course.after(VALIDATED_AFTER), Status.FAILED
    finished = math.inf if course.stuck else course.after(STARTED_AFTER + course.requests * SECONDS_A_REQUEST)
    deadline = course.after(course.timeout_hours * 3600)
    return (finished, Status.SUCCESS) if finished <= deadline else (deadline, Status.TIMEOUT_EXCEEDED)


def _completed(course: Course, seen: float) -> int:
    started_at = course.after(STARTED_AFTER)
    if course.refused or seen < started_at:
        return 0
    answerable = course.requests // 2 if course.stuck else course.requests
    if seen >= course.after(STARTED_AFTER + answerable * SECONDS_A_REQUEST):  # always, at infinite speed
        return answerable
    return min(answerable, int((seen - started_at) * course.speed / SECONDS_A_REQUEST))

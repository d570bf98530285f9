"""How a job accounts for the requests that it was asked, and the donor that follows from it. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from reconciler.model import Job, Phase
from reconciler.planning.coverage import MISSING, UNASKED, Account


class Results(StrEnum):
    """How far a job's result files are read."""

    READ = "read"
    """All that the job names are here, whole."""
    UNREAD = "unread"
    """It names some that are not here, and nothing says that they are lost."""
    LOST = "lost"
    """It names some that the provider no longer has, and that are not here either."""


class Count(Struct, frozen=True, kw_only=True):
    """The numbers that show whether results are complete."""

    asked: int
    """How many requests the job was asked."""
    read: int = 0
    """How many answers its result files have; 0 if they are not read."""
    failed: int = 0
    """How many requests without an answer they name; 0 if they are not read."""


def account(job: Job, results: Results, count: Count, *, now: float, late_seconds: float) -> Account:
    """Return how a job accounts for its requests.

    An end is not believed too early: the counts may lag behind the files, and the files behind the status.

    `results` says how far its files are read: READ also if it names none. `now` is in Unix seconds, and files may still
    appear for `late_seconds` after a job's end.
    """
    if not job.phase.ended:
        return Account.LIVE
    names_any = bool(job.output_file or job.error_file)
    succeeded = job.phase is Phase.SUCCEEDED
    counted_whole = succeeded and bool(job.output_file) and job.succeeded_requests >= count.asked > 0
    lines = count.read + count.failed
    settled = lines >= count.asked or 0 < job.answered_requests <= lines  # otherwise a file may be missing
    whole = names_any and results is Results.READ and count.read >= job.succeeded_requests and settled
    ended = job.completed_at if job.completed_at is not None else job.created_at
    if whole:
        return Account.READ
    if names_any and results is Results.UNREAD:  # once they are read, they show whether more is to come
        return Account.ANSWERED if counted_whole else Account.UNREAD
    if now < ended + late_seconds:
        return Account.LATE
    if results is Results.LOST:
        lost = bool(job.output_file) or job.succeeded_requests > 0
        return Account.GONE if lost else Account.READ
    return Account.GONE if succeeded and not names_any else Account.READ


_WITHOUT_LINE: Final = {"SUCCESS": MISSING, "CANCELLED": UNASKED}


def kind_without_line(status: str) -> str:
    """Return the kind of a request that has no line in the results of an ended job: the status, unless it says more."""
    return _WITHOUT_LINE.get(status, status)

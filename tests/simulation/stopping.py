"""The promises about every cancel, one function each. Each yields the violations that it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from reconciler.plans.action_documents import CancelDoc
from reconciler.sandbox.lifecycle import Status
from tests.simulation.accepted import Accepted, actions, second
from tests.simulation.agreeing import a_later_round_cancels_nothing
from tests.simulation.history import PROJECT
from tests.simulation.server import LIVE

INSTANT: Final = 0.001
"""What happens at the same time as a look happens after it."""


def nothing_foreign_is_touched(cancel: Accepted) -> Iterator[str]:
    """Jobs of other projects, and jobs that are not this tool's, are left alone."""
    if cancel.job.project != PROJECT:
        yield f"it is of {cancel.job.project or 'nobody'}"


def no_job_from_another_folder_is_cancelled(cancel: Accepted) -> Iterator[str]:
    """Jobs that our project submitted from another folder of the repository are left alone, also as duplicates."""
    if cancel.job.root:
        yield f"it is from {cancel.job.root}"


def only_what_was_agreed_to_is_cancelled(cancel: Accepted) -> Iterator[str]:
    """A cancel is in the plan that its reader agreed to, or is of a duplicate that this very run has made.

    A saved plan executes a subset of itself.
    """
    agreed, job = cancel.by.agreed, cancel.job
    if agreed is None:
        yield "no plan was agreed to"
    elif cancel.reason == "duplicate" and job.op in cancel.by.ops:
        return
    elif job.id not in {it.job.id for it in actions(agreed, CancelDoc)}:
        yield "it is not in the plan"


def an_old_checkout_cancels_nothing_newer(cancel: Accepted) -> Iterator[str]:
    """A checkout cancels no job that was created from a commit which it does not contain, unless it is a duplicate."""
    job, by = cancel.job, cancel.by
    if cancel.reason != "duplicate" and job.by and not job.altered and 0 <= by.commit < job.by.commit:
        yield f"it was created from commit {job.by.commit}, and this is {by.commit}"


def a_duplicate_leaves_its_twin(cancel: Accepted) -> Iterator[str]:
    """A duplicate is cancelled only where another job of the same work was live, or had succeeded, when the run looked
    or since then.
    """  # noqa: D205 - one sentence
    if cancel.reason != "duplicate":
        return
    server, by = cancel.server, cancel.by
    for other in cancel.others():
        gone = other.deleted_at is not None and other.deleted_at < min(by.planned_on, by.looked) - INSTANT
        how = server.status(other.id) if other.deleted_at is None else other.ended_as
        if not gone and how in (*LIVE, Status.SUCCESS):
            return
        if other.at >= min(by.planned_on, by.looked) - INSTANT:  # it was live as it was made
            return
        for when in (by.planned_on - INSTANT, by.looked - INSTANT):
            if server.was_live_at(other.id, when) or server.ended_before(other.id, when) is Status.SUCCESS:
                return
    yield "there is no twin"


def of_twins_the_oldest_stays(cancel: Accepted) -> Iterator[str]:
    """A duplicate is cancelled for the sake of an older job of the same work, or of one that has succeeded: so that all
    who see the same twins choose the same.
    """  # noqa: D205 - one sentence
    if cancel.reason != "duplicate":
        return
    age = (second(cancel.job), cancel.job.id)
    for other in cancel.others():
        done = other.ended_as if other.deleted_at is not None else cancel.server.status(other.id)
        if (second(other), other.id) < age or done is Status.SUCCESS:
            return
    yield "it is the oldest"


def what_is_wanted_is_not_cancelled(cancel: Accepted) -> Iterator[str]:
    """Work that the checkout declares is cancelled as suspended or as a duplicate, for no other reason."""
    job = cancel.job
    if job.altered or job.id in cancel.by.misled or cancel.reason == "duplicate":
        return
    for spec in cancel.all_wanting(job):
        if not (spec.suspend and cancel.reason == "suspended"):
            yield f"{spec.name} wants it"


def what_is_not_selected_is_left_alone(cancel: Accepted) -> Iterator[str]:
    """A cancel is of a job whose name, or whose spec's name, was selected."""
    names = [spec.name for spec in cancel.all_wanting(cancel.job)] or [cancel.job.name]
    if not any(map(cancel.selected, names)) and cancel.job.id not in cancel.by.misled:
        yield f"{names[0]} is not selected"


PROMISES: Final[tuple[Callable[[Accepted], Iterator[str]], ...]] = (
    nothing_foreign_is_touched,
    no_job_from_another_folder_is_cancelled,
    only_what_was_agreed_to_is_cancelled,
    a_later_round_cancels_nothing,
    an_old_checkout_cancels_nothing_newer,
    a_duplicate_leaves_its_twin,
    of_twins_the_oldest_stays,
    what_is_wanted_is_not_cancelled,
    what_is_not_selected_is_left_alone,
)

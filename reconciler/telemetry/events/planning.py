"""Events of planning: reading the specs and the workspace, and comparing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import ELAPSED, Event, count, event, text

EVENTS: Final[Mapping[str, Event]] = {
    "specs.loaded": event(
        "debug",
        "The specs and their input files were read and checked.",
        specs=count("How many jobs are declared."),
        elapsed_ms=ELAPSED,
    ),
    "jobs.listed": event(
        "debug",
        "The workspace's list of jobs was read to its end.",
        jobs=count("How many jobs it has, ours and those of other projects."),
        pages=count("How many pages it has."),
        elapsed_ms=ELAPSED,
    ),
    "jobs.list_incomplete": event(
        "warning",
        "The list of jobs was incomplete. It is read again, or only shown: no decision is based on it.",
        attempt=count("Number of the failed attempt, from 1."),
        problem=text("What was wrong with it."),
    ),
    "jobs.row_unreadable": event(
        "warning",
        "A job in the list does not match the API's description. A foreign job is skipped; one that may be of "
        "this project holds its name.",
        job_id=text("The job's id, or the position of its row if the id cannot be read."),
        problem=text("What does not match."),
    ),
    "plan.computed": event(
        "info",
        "The specs were compared with the jobs in the workspace.",
        create=count("Names whose job will be created."),
        replace=count("Names whose job will be created again and whose old job will be cancelled."),
        cancel=count("Names whose jobs will be cancelled."),
        hold=count("Names that wait until something changes."),
        unchanged=count("Names that need no action."),
        attention=count("Names that need a person's attention."),
        requests=count("Requests that the plan submits, as far as their number is known."),
        requests_unknown=count("Creates whose number of requests is not known."),
        lost_answers=count("Requests of the cancelled jobs that were already answered."),
        upload_bytes=count("Bytes of the new jobs' input files; equal files count once."),
    ),
    "guard.refused": event(
        "warning",
        "A guard holds actions of the plan back.",
        guard=text("The guard's name."),
        message=text("Why, with numbers."),
        names=count("Names whose actions are held back."),
    ),
}

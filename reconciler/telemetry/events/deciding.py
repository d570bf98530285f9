"""What is declared, what is there, and what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import ELAPSED, Event, count, text

EVENTS: Final[Mapping[str, Event]] = {
    "specs.loaded": Event(
        "debug",
        "The specs and their input files were read and checked.",
        {
            "specs": count("How many jobs are declared."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "jobs.listed": Event(
        "debug",
        "The workspace's list of jobs was read whole.",
        {
            "jobs": count("How many jobs it holds, ours and others'."),
            "pages": count("On how many pages."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "jobs.list_incomplete": Event(
        "warning",
        "The list of jobs was not whole, and is read again: nothing is concluded from half a list.",
        {
            "attempt": count("Which attempt failed, the first being 1."),
            "problem": text("What was wrong with it."),
        },
    ),
    "plan.computed": Event(
        "info",
        "What is declared was compared with what is there.",
        {
            "create": count("Names to be created."),
            "replace": count("Names whose job is created anew and whose old job is cancelled."),
            "cancel": count("Names whose jobs are cancelled."),
            "hold": count("Names that something holds up."),
            "unchanged": count("Names about which nothing is to be done."),
            "attention": count("Names that a person should look at."),
            "requests": count("Requests that the plan buys, as far as they are known."),
            "requests_unknown": count("Creates whose number of requests is not known."),
            "lost_answers": count("Requests that the cancelled jobs have already answered."),
            "upload_bytes": count("Bytes of the input files of what is bought, each content once."),
        },
    ),
    "guard.refused": Event(
        "warning",
        "A guard refused the plan; nothing was written.",
        {"guard": text("Which guard."), "message": text("Why, with numbers.")},
    ),
}

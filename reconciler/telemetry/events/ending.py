"""Jobs that end: waited for, told, their results fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import ELAPSED, ERROR, JOB, NAME, Event, count, maybe, text

EVENTS: Final[Mapping[str, Event]] = {
    "job.ended": Event(
        "info",
        "A job that is waited for was seen to have ended.",
        {
            "name": NAME,
            "job_id": JOB,
            "status": text("How, in the API's words."),
            "succeeded": count("How many of its requests succeeded."),
            "failed": count("How many failed."),
        },
    ),
    "wait.look_failed": Event(
        "warning",
        "The jobs that are waited for could not be looked at; waiting goes on.",
        {"error": ERROR, "failures": count("How many looks in a row failed.")},
    ),
    "wait.finished": Event(
        "info",
        "Waiting is over.",
        {
            "done": count("Names whose work has succeeded."),
            "attention": count("Names that a person should look at."),
            "pending": count("Names about which an apply would do something."),
            "running": count("Names whose jobs go on."),
            "timed_out": count("Whether the timeout ended it: 1 or 0."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "ends.telling_began": Event(
        "info",
        "Ends of jobs are told to `on_end` from here on; those before are not, and neither is anything where each "
        "run has a ledger of its own.",
        {},
    ),
    "end.told": Event(
        "info",
        "The end of a job was told to `on_end`.",
        {
            "name": NAME,
            "job_id": JOB,
            "status": text("How it ended, in the API's words."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "end.not_told": Event(
        "warning",
        "A call of `on_end` failed; the end is told again by the next apply.",
        {"name": NAME, "job_id": JOB, "error": ERROR, "failures": count("How often it has failed.")},
    ),
    "end.given_up": Event(
        "error",
        "Calls of `on_end` failed too often; the end is not told again.",
        {"name": NAME, "job_id": JOB, "error": ERROR, "failures": count("How often it has failed.")},
    ),
    "results.pulled": Event(
        "info",
        "The results of an ended job were fetched, joined with its inputs, and are whole.",
        {
            "name": NAME,
            "job_id": JOB,
            "ok": count("Requests that were answered."),
            "failed": count("Requests that failed."),
            "missing": maybe(count("Requests without a line; left out where their number is not known.")),
            "bytes": count("Of the provider's files and the joined one."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "results.resumed": Event(
        "info",
        "A download that an earlier run or a broken connection left went on where it had ended.",
        {
            "name": NAME,
            "job_id": JOB,
            "file": text("Which one."),
            "at_byte": count("How many bytes were here already."),
        },
    ),
    "results.gone": Event(
        "warning",
        "The provider does not have a result file any more.",
        {"name": NAME, "job_id": JOB, "file": text("Which one.")},
    ),
    "results.damaged": Event(
        "warning",
        "Some lines of a job's result files could not be used.",
        {
            "name": NAME,
            "job_id": JOB,
            "malformed": count("Lines that are no answer to anything."),
            "repeated": count("Lines with a custom_id that an earlier line has."),
            "unknown": count("Lines with a custom_id that the inputs do not have."),
        },
    ),
    "results.failed": Event(
        "error",
        "The results of a job could not be fetched; the next pull goes on.",
        {"name": NAME, "job_id": JOB, "error": ERROR},
    ),
    "results.waited_for": Event(
        "info",
        "Other runners are fetching results: they are waited for, and taken over from where they stop.",
        {
            "jobs": count("Of how many jobs."),
            "host": text("Where one of them runs."),
            "other_run_id": text("Its run."),
        },
    ),
}

"""Events of ended jobs: waiting, notifications, results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import ELAPSED, ERROR, JOB, NAME, Event, count, event, maybe, text

EVENTS: Final[Mapping[str, Event]] = {
    "job.ended": event(
        "info",
        "A job that a command waits for has ended.",
        name=NAME,
        job_id=JOB,
        status=text("Its status, as the API writes it."),
        succeeded=count("How many of its requests succeeded."),
        failed=count("How many failed."),
    ),
    "wait.poll_failed": event(
        "warning",
        "The jobs could not be read; waiting goes on.",
        error=ERROR,
        failures=count("How many reads in a row failed."),
    ),
    "wait.finished": event(
        "info",
        "Waiting is over.",
        done=count("Names whose work has succeeded."),
        attention=count("Names that need a person's attention."),
        pending=count("Names for which an apply would do something."),
        running=count("Names whose jobs still run."),
        timed_out=count("Whether the timeout ended the wait: 1 or 0."),
        elapsed_ms=ELAPSED,
    ),
    "notifications.enabled": event(
        "info",
        "From now on `on_end` is called for each job that ends. It is not called for jobs that ended before, nor "
        "if each run has a ledger of its own.",
    ),
    "notification.delivered": event(
        "info",
        "A call of `on_end` for an ended job succeeded.",
        name=NAME,
        job_id=JOB,
        status=text("The job's status, as the API writes it."),
        elapsed_ms=ELAPSED,
    ),
    "notification.failed": event(
        "warning",
        "A call of `on_end` failed; the next apply calls it again.",
        name=NAME,
        job_id=JOB,
        error=ERROR,
        failures=count("How often it has failed."),
    ),
    "notification.abandoned": event(
        "error",
        "Calls of `on_end` failed too often; it is not called again for this job.",
        name=NAME,
        job_id=JOB,
        error=ERROR,
        failures=count("How often it has failed."),
    ),
    "results.pulled": event(
        "info",
        "The results of an ended job were downloaded completely and joined with its inputs.",
        name=NAME,
        job_id=JOB,
        ok=count("Requests that were answered."),
        failed=count("Requests that failed."),
        missing=maybe(count("Requests without a line; omitted if their number is not known.")),
        bytes=count("Size of the provider's files and the joined one."),
        elapsed_ms=ELAPSED,
    ),
    "results.resumed": event(
        "info",
        "A download was resumed after an interrupted run or a broken connection.",
        name=NAME,
        job_id=JOB,
        file=text("The file's name."),
        at_byte=count("How many bytes were already on this machine."),
    ),
    "results.gone": event(
        "warning",
        "The provider no longer has a result file.",
        name=NAME,
        job_id=JOB,
        file=text("The file's name."),
    ),
    "results.damaged": event(
        "warning",
        "Some lines of a job's result files could not be used.",
        name=NAME,
        job_id=JOB,
        malformed=count("Lines in which no custom_id can be found."),
        unnamed=count("Lines of the error file without a custom_id."),
        repeated=count("Lines whose custom_id an earlier line has."),
        unknown=count("Lines whose custom_id is not in the inputs."),
    ),
    "results.incomplete": event(
        "warning",
        "A succeeded job has fewer answers than requests, or its numbers differ.",
        name=NAME,
        job_id=JOB,
        difference=text("How the numbers differ."),
    ),
    "results.failed": event(
        "error",
        "The results of a job could not be downloaded; the next pull continues.",
        name=NAME,
        job_id=JOB,
        error=ERROR,
    ),
    "results.waiting_for_lease": event(
        "info",
        "Other runners are downloading results: this run waits, and takes over if they stop.",
        jobs=count("How many jobs' results."),
        host=text("The host of one of the runners."),
        other_run_id=text("The run id of that runner."),
    ),
}

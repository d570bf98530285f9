"""Events of a run itself: its ledger, its log, its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import ERROR, OP, Event, Field, count, event, maybe, text

REQUEST: Final[Mapping[str, Field]] = {
    "method": text("The HTTP method."),
    "path": text("The path, without the query."),
    "status": count("The HTTP status."),
    "elapsed_ms": count("From sending to the last byte of the answer, in milliseconds."),
    "attempt": count("Number of the attempt at this request, from 1."),
}

EVENTS: Final[Mapping[str, Event]] = {
    "run.interrupted": event(
        "warning",
        "The run received a signal to stop: it finishes requests in flight and starts no new ones.",
        signal=text("The signal's name."),
    ),
    "command.failed": event(
        "debug",
        "The command ended with an error. stderr shows it at every level, as text with its hint.",
        exit_code=count("The exit code; `docs/exit-codes.md` lists the codes."),
        error=text("The message, without keys."),
    ),
    "ledger.doubted": event(
        "warning",
        "The ledger has lines of a newer version or of a time too far ahead, or its history was rewritten.",
        problem=text("What is wrong, and where."),
        hint=text("What to do about it."),
    ),
    "ledger.degraded": event(
        "warning",
        "An outcome could not be written to the ledger; the jobs in the workspace still show it.",
        error=ERROR,
        op=maybe(OP),
    ),
    "ledger.local_only": event(
        "warning",
        "The shared ledger is not used, as requested: this run and other runners do not see each other.",
        remote=text("The git remote of the shared ledger."),
    ),
    "ledger.not_published": event(
        "warning",
        "Outcomes could not be pushed to the shared ledger; the next run on this host pushes them.",
        error=ERROR,
    ),
    "ledger.conflict": event(
        "info", "Another runner wrote to the shared ledger first: this run reads and plans again."
    ),
    "run.previous_interrupted": event(
        "warning",
        "An earlier run ended without recording the outcome of its creates; their jobs are searched for by op.",
        earlier_run_id=text("The id of that run."),
        creates=count("Creates without an outcome."),
    ),
    "log.degraded": event(
        "warning",
        "An output of the log could not be written and gets no more lines.",
        output=text("The output's name."),
        error=ERROR,
    ),
    "request.sent": event("debug", "A request was answered.", **REQUEST),
    "request.failed": event(
        "warning",
        "A request was rejected or got no answer. Reads and cancels are retried if the error may be transient.",
        **{**REQUEST, "status": maybe(REQUEST["status"])},
        error=text("The error's class name."),
    ),
    "request.throttled": event(
        "debug",
        "The API answered 429: it asks for fewer requests.",
        **REQUEST,
        error=text("The error's class name."),
    ),
    "requests.paused": event(
        "warning",
        "The API asked for fewer requests: this run pauses and then sends them more slowly.",
        seconds=count("Duration of the pause in seconds."),
    ),
}

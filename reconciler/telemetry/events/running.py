"""The run itself: its ledger, its log, its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import ERROR, OP, Event, Field, count, maybe, text

REQUEST: Final[Mapping[str, Field]] = {
    "method": text("The HTTP method."),
    "path": text("The path, without the query."),
    "status": count("The HTTP status."),
    "elapsed_ms": count("From sending to the last byte of the answer, in milliseconds."),
    "attempt": count("Which attempt at this request it is, the first being 1."),
}

EVENTS: Final[Mapping[str, Event]] = {
    "run.interrupted": Event(
        "warning",
        "The run was asked to stop: what is in flight is finished, nothing new is begun.",
        {"signal": text("The signal's name.")},
    ),
    "ledger.degraded": Event(
        "warning",
        "An outcome could not be written to the ledger; the tags in the workspace still tell it.",
        {"error": ERROR, "op": maybe(OP)},
    ),
    "ledger.local_only": Event(
        "warning",
        "The shared ledger is left aside, as asked: other runners are not seen, and do not see this one.",
        {"remote": text("The git remote that holds it.")},
    ),
    "ledger.not_published": Event(
        "warning",
        "Outcomes could not be pushed to the shared ledger; the next run on this host pushes them.",
        {"error": ERROR},
    ),
    "ledger.raced": Event(
        "info", "Another runner wrote to the shared ledger first: everything is read and planned again.", {}
    ),
    "run.found_interrupted": Event(
        "warning",
        "An earlier run ended without saying what became of its creates; they are looked for by their ops.",
        {"earlier_run_id": text("That run."), "creates": count("Creates without an outcome.")},
    ),
    "log.degraded": Event(
        "warning",
        "One output of the log could not be written, and gets no more lines.",
        {"output": text("Which one."), "error": ERROR},
    ),
    "request.sent": Event("debug", "A request was answered.", REQUEST),
    "request.failed": Event(
        "warning",
        "A request was refused or got no answer. Reads and cancels are tried again where that can help.",
        {**REQUEST, "status": maybe(REQUEST["status"]), "error": text("The class of the error.")},
    ),
}

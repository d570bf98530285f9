"""The catalogue of events: every name that the log may hold, with its level, its meaning and its fields.

A name is dotted, in the past tense and constant; what differs from one time to the next stands in the fields. The
catalogue decides an event's level and the order of its fields. `schemas/event.schema.json` and `docs/events.md` are
generated from it, and tests hold every call of a log to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
"""From the least important to the most important."""


@dataclass(frozen=True, slots=True)
class Field:
    """One fact of an event."""

    type: Literal["string", "integer", "strings"]
    meaning: str
    optional: bool = False
    """True where the fact may be unknown; it is left out then."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that can happen."""

    level: Level
    meaning: str
    fields: Mapping[str, Field]


def _text(meaning: str) -> Field:
    return Field("string", meaning)


def _count(meaning: str) -> Field:
    return Field("integer", meaning)


def _maybe(field: Field) -> Field:
    return Field(field.type, field.meaning, optional=True)


HEAD: Final[Mapping[str, Field]] = {
    "at": _text("When it happened: RFC 3339, UTC, milliseconds."),
    "level": _text("How important it is: debug, info, warning or error. Constant for an event."),
    "event": _text("What happened."),
}
"""What stands in front of every line."""

BOUND: Final[Mapping[str, Field]] = {
    "run_id": _text("The run of this tool, as in the ledger."),
    "project": _text("The owner of the jobs, as in `reconciler.yaml`."),
    "commit": _text("The commit that was checked out; empty outside of git."),
}
"""What stands at the end of every line: the same for all lines of a run, whatever thread wrote them."""

_NAME: Final = _text("The job's name in the specs.")
_JOB: Final = _text("The job's id.")
_OP: Final = _text("The name of this one create, which the job's tags and the ledger carry too.")
_ERROR: Final = _text("What went wrong.")
_ELAPSED: Final = _count("How long it took, in milliseconds.")
_PATH: Final = _text("The file, relative to the project root.")

_BOUGHT: Final[Mapping[str, Field]] = {
    "name": _NAME,
    "job_id": _JOB,
    "op": _OP,
    "reason": _text("Why it was created; `docs/planner.md` lists the reasons."),
    "attempt": _count("Which attempt at this work it is, the first being 1."),
    "requests": _maybe(_count("How many requests it holds; left out where an uploaded file hides it.")),
    "elapsed_ms": _ELAPSED,
}
_REQUEST: Final[Mapping[str, Field]] = {
    "method": _text("The HTTP method."),
    "path": _text("The path, without the query."),
    "status": _count("The HTTP status."),
    "elapsed_ms": _count("From sending to the last byte of the answer, in milliseconds."),
    "attempt": _count("Which attempt at this request it is, the first being 1."),
}

EVENTS: Final[Mapping[str, Event]] = {
    "specs.loaded": Event(
        "debug",
        "The specs and their input files were read and checked.",
        {
            "specs": _count("How many jobs are declared."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "jobs.listed": Event(
        "debug",
        "The workspace's list of jobs was read whole.",
        {
            "jobs": _count("How many jobs it holds, ours and others'."),
            "pages": _count("On how many pages."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "jobs.list_incomplete": Event(
        "warning",
        "The list of jobs was not whole, and is read again: nothing is concluded from half a list.",
        {
            "attempt": _count("Which attempt failed, the first being 1."),
            "problem": _text("What was wrong with it."),
        },
    ),
    "plan.computed": Event(
        "info",
        "What is declared was compared with what is there.",
        {
            "create": _count("Names to be created."),
            "replace": _count("Names whose job is created anew and whose old job is cancelled."),
            "cancel": _count("Names whose jobs are cancelled."),
            "hold": _count("Names that something holds up."),
            "unchanged": _count("Names about which nothing is to be done."),
            "attention": _count("Names that a person should look at."),
            "requests": _count("Requests that the plan buys, as far as they are known."),
            "requests_unknown": _count("Creates whose number of requests is not known."),
            "lost_answers": _count("Requests that the cancelled jobs have already answered."),
            "upload_bytes": _count("Bytes of the input files of what is bought, each content once."),
        },
    ),
    "guard.refused": Event(
        "warning",
        "A guard refused the plan; nothing was written.",
        {"guard": _text("Which guard."), "message": _text("Why, with numbers.")},
    ),
    "apply.started": Event(
        "info",
        "The plan is about to be carried out.",
        {"decisions": _count("Names about which something is to be written.")},
    ),
    "input.uploaded": Event(
        "info",
        "An input file was sent to the workspace.",
        {
            "path": _PATH,
            "sha256": _text("Of its bytes, in hexadecimal."),
            "bytes": _count("Its size."),
            "file_id": _text("The uploaded file's id."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "file.deleted": Event(
        "info",
        "An upload that no live job needed was deleted.",
        {
            "file_id": _text("Its id."),
            "filename": _text("What it was called: the digest of its content."),
            "bytes": _maybe(_count("Its size; left out where the API does not say.")),
        },
    ),
    "input.reused": Event(
        "info",
        "An upload of the same content is there already, and is used again.",
        {
            "path": _PATH,
            "sha256": _text("Of its bytes, in hexadecimal."),
            "bytes": _count("Its size."),
            "file_id": _text("The uploaded file's id."),
        },
    ),
    "input.upload_vanished": Event(
        "warning",
        "An upload that was to be used again is gone; its content is sent again.",
        {"file_id": _text("The id of the upload that is gone.")},
    ),
    "input.uploads_unknown": Event(
        "warning",
        "The list of uploads could not be read, so nothing is used again.",
        {"error": _ERROR},
    ),
    "input.upload_unread": Event(
        "warning",
        "An upload could not be read back, so its content is sent again.",
        {"file_id": _text("Its id."), "error": _ERROR},
    ),
    "input.upload_forged": Event(
        "error",
        "An upload is not the content that it is named after: somebody else made it. It is not used.",
        {
            "file_id": _text("Its id."),
            "filename": _text("What it is called."),
            "sha256": _text("Of its bytes, in hexadecimal."),
        },
    ),
    "work.progressed": Event(
        "info",
        "Long work goes on; told every ten seconds where there is no terminal to draw bars on.",
        {
            "work": _text("What goes on: `checking`, `uploading` or `writing`."),
            "done": _count("Bytes that were checked or uploaded; creates and cancels that were made."),
            "total": _count("How many there are, as far as it is known."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "input.upload_repeated": Event(
        "warning",
        "Sending an input file failed, and it is sent again.",
        {"path": _PATH, "error": _ERROR},
    ),
    "job.created": Event("info", "A job was created.", _BOUGHT),
    "job.create_unknown": Event(
        "warning",
        "The answer to a create was lost: the job is looked for by its op, and not created blindly again.",
        {"name": _NAME, "op": _OP, "error": _ERROR},
    ),
    "job.adopted": Event("warning", "A job whose answer was lost was found by its op: it is ours.", _BOUGHT),
    "job.create_failed": Event("error", "A job was certainly not created.", {"name": _NAME, "error": _ERROR}),
    "job.tags_altered": Event(
        "error",
        "A job was created, and the API altered a tag that makes it ours: no more jobs are created.",
        {"name": _NAME, "job_id": _JOB, "key": _text("The metadata key.")},
    ),
    "job.cancelled": Event(
        "info",
        "A job is stopping, or had ended before the cancel came.",
        {
            "name": _NAME,
            "job_id": _JOB,
            "reason": _text("Why; `docs/planner.md` lists the reasons."),
            "status": _text("The job's status now, in the API's words."),
            "answered": _count("How many of its requests were answered."),
        },
    ),
    "job.cancel_failed": Event(
        "error", "A job could not be cancelled.", {"name": _NAME, "job_id": _JOB, "error": _ERROR}
    ),
    "jobs.not_listed_yet": Event(
        "warning",
        "Jobs that were created do not show in the list yet: a later run without the ledger could miss them.",
        {"job_ids": Field("strings", "Their ids.")},
    ),
    "apply.not_settled": Event(
        "warning",
        "What was created could not be looked at once more: a duplicate would be cancelled by the next apply.",
        {"error": _ERROR},
    ),
    "apply.finished": Event(
        "info",
        "The plan was carried out, as far as it could be.",
        {
            "created": _count("Jobs that were created."),
            "adopted": _count("Jobs among them whose answer was lost and that were found."),
            "cancelled": _count("Jobs that were cancelled."),
            "failed": _count("Actions that certainly had no effect."),
            "unknown": _count("Actions of which nobody can tell yet."),
            "skipped": _count("Actions that were not begun."),
            "exit_code": _count("How the process will end; `docs/exit-codes.md` lists the codes."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "job.ended": Event(
        "info",
        "A job that is waited for was seen to have ended.",
        {
            "name": _NAME,
            "job_id": _JOB,
            "status": _text("How, in the API's words."),
            "succeeded": _count("How many of its requests succeeded."),
            "failed": _count("How many failed."),
        },
    ),
    "wait.look_failed": Event(
        "warning",
        "The jobs that are waited for could not be looked at; waiting goes on.",
        {"error": _ERROR, "failures": _count("How many looks in a row failed.")},
    ),
    "wait.finished": Event(
        "info",
        "Waiting is over.",
        {
            "done": _count("Names whose work has succeeded."),
            "attention": _count("Names that a person should look at."),
            "pending": _count("Names about which an apply would do something."),
            "running": _count("Names whose jobs go on."),
            "timed_out": _count("Whether the timeout ended it: 1 or 0."),
            "elapsed_ms": _ELAPSED,
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
            "name": _NAME,
            "job_id": _JOB,
            "status": _text("How it ended, in the API's words."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "end.not_told": Event(
        "warning",
        "A call of `on_end` failed; the end is told again by the next apply.",
        {"name": _NAME, "job_id": _JOB, "error": _ERROR, "failures": _count("How often it has failed.")},
    ),
    "end.given_up": Event(
        "error",
        "Calls of `on_end` failed too often; the end is not told again.",
        {"name": _NAME, "job_id": _JOB, "error": _ERROR, "failures": _count("How often it has failed.")},
    ),
    "results.pulled": Event(
        "info",
        "The results of an ended job were fetched, joined with its inputs, and are whole.",
        {
            "name": _NAME,
            "job_id": _JOB,
            "ok": _count("Requests that were answered."),
            "failed": _count("Requests that failed."),
            "missing": _maybe(_count("Requests without a line; left out where their number is not known.")),
            "bytes": _count("Of the provider's files and the joined one."),
            "elapsed_ms": _ELAPSED,
        },
    ),
    "results.resumed": Event(
        "info",
        "A download that an earlier run or a broken connection left went on where it had ended.",
        {
            "name": _NAME,
            "job_id": _JOB,
            "file": _text("Which one."),
            "at_byte": _count("How many bytes were here already."),
        },
    ),
    "results.gone": Event(
        "warning",
        "The provider does not have a result file any more.",
        {"name": _NAME, "job_id": _JOB, "file": _text("Which one.")},
    ),
    "results.damaged": Event(
        "warning",
        "Some lines of a job's result files could not be used.",
        {
            "name": _NAME,
            "job_id": _JOB,
            "malformed": _count("Lines that are no answer to anything."),
            "repeated": _count("Lines with a custom_id that an earlier line has."),
            "unknown": _count("Lines with a custom_id that the inputs do not have."),
        },
    ),
    "results.failed": Event(
        "error",
        "The results of a job could not be fetched; the next pull goes on.",
        {"name": _NAME, "job_id": _JOB, "error": _ERROR},
    ),
    "results.waited_for": Event(
        "info",
        "Other runners are fetching results: they are waited for, and taken over from where they stop.",
        {
            "jobs": _count("Of how many jobs."),
            "host": _text("Where one of them runs."),
            "other_run_id": _text("Its run."),
        },
    ),
    "run.interrupted": Event(
        "warning",
        "The run was asked to stop: what is in flight is finished, nothing new is begun.",
        {"signal": _text("The signal's name.")},
    ),
    "ledger.degraded": Event(
        "warning",
        "An outcome could not be written to the ledger; the tags in the workspace still tell it.",
        {"error": _ERROR, "op": _maybe(_OP)},
    ),
    "ledger.local_only": Event(
        "warning",
        "The shared ledger is left aside, as asked: other runners are not seen, and do not see this one.",
        {"remote": _text("The git remote that holds it.")},
    ),
    "ledger.not_published": Event(
        "warning",
        "Outcomes could not be pushed to the shared ledger; the next run on this host pushes them.",
        {"error": _ERROR},
    ),
    "ledger.raced": Event(
        "info", "Another runner wrote to the shared ledger first: everything is read and planned again.", {}
    ),
    "run.found_interrupted": Event(
        "warning",
        "An earlier run ended without saying what became of its creates; they are looked for by their ops.",
        {"earlier_run_id": _text("That run."), "creates": _count("Creates without an outcome.")},
    ),
    "log.degraded": Event(
        "warning",
        "One output of the log could not be written, and gets no more lines.",
        {"output": _text("Which one."), "error": _ERROR},
    ),
    "request.sent": Event("debug", "A request was answered.", _REQUEST),
    "request.failed": Event(
        "warning",
        "A request was refused or got no answer. Reads and cancels are tried again where that can help.",
        {**_REQUEST, "status": _maybe(_REQUEST["status"]), "error": _text("The class of the error.")},
    ),
}
"""Every event, in the order of a run."""


def complaint(event: str, facts: Mapping[str, object]) -> str:
    """Return how an event differs from the catalogue, "" where it does not."""
    known = EVENTS.get(event)
    if known is None:
        return f"{event} is not in the catalogue of events"
    told = {key for key, value in facts.items() if value is not None}
    missing = {key for key, field in known.fields.items() if not field.optional} - told
    wrong = [f"no {key}" for key in sorted(missing)]
    wrong += [f"{key} is not in the catalogue" for key in sorted(facts.keys() - known.fields.keys())]
    wrong += [
        f"{key} is no {field.type}: {facts[key]!r}"
        for key, field in known.fields.items()
        if key in told and not _fits(field, facts[key])
    ]
    return f"{event}: {'; '.join(wrong)}" if wrong else ""


def _fits(field: Field, value: object) -> bool:
    match field.type:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "strings":
            return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)

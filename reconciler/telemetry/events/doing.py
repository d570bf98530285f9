"""The plan carried out: uploads, creates, cancels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events.fields import (
    ELAPSED,
    ERROR,
    JOB,
    NAME,
    OP,
    PATH,
    Event,
    Field,
    count,
    maybe,
    text,
)

BOUGHT: Final[Mapping[str, Field]] = {
    "name": NAME,
    "job_id": JOB,
    "op": OP,
    "reason": text("Why it was created; `docs/planner.md` lists the reasons."),
    "attempt": count("Which attempt at this work it is, the first being 1."),
    "requests": maybe(count("How many requests it holds; left out where an uploaded file hides it.")),
    "elapsed_ms": ELAPSED,
}
EVENTS: Final[Mapping[str, Event]] = {
    "apply.started": Event(
        "info",
        "The plan is about to be carried out.",
        {"decisions": count("Names about which something is to be written.")},
    ),
    "input.uploaded": Event(
        "info",
        "An input file was sent to the workspace.",
        {
            "path": PATH,
            "sha256": text("Of its bytes, in hexadecimal."),
            "bytes": count("Its size."),
            "file_id": text("The uploaded file's id."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "file.deleted": Event(
        "info",
        "An upload that no live job needed was deleted.",
        {
            "file_id": text("Its id."),
            "filename": text("What it was called: the digest of its content."),
            "bytes": maybe(count("Its size; left out where the API does not say.")),
        },
    ),
    "input.reused": Event(
        "info",
        "An upload of the same content is there already, and is used again.",
        {
            "path": PATH,
            "sha256": text("Of its bytes, in hexadecimal."),
            "bytes": count("Its size."),
            "file_id": text("The uploaded file's id."),
        },
    ),
    "input.upload_vanished": Event(
        "warning",
        "An upload that was to be used again is gone; its content is sent again.",
        {"file_id": text("The id of the upload that is gone.")},
    ),
    "input.uploads_unknown": Event(
        "warning",
        "The list of uploads could not be read, so nothing is used again.",
        {"error": ERROR},
    ),
    "input.upload_unread": Event(
        "warning",
        "An upload could not be read back, so its content is sent again.",
        {"file_id": text("Its id."), "error": ERROR},
    ),
    "input.upload_forged": Event(
        "error",
        "An upload is not the content that it is named after: somebody else made it. It is not used.",
        {
            "file_id": text("Its id."),
            "filename": text("What it is called."),
            "sha256": text("Of its bytes, in hexadecimal."),
        },
    ),
    "work.progressed": Event(
        "info",
        "Long work goes on; told every ten seconds where there is no terminal to draw bars on.",
        {
            "work": text("What goes on: `checking`, `uploading` or `writing`."),
            "done": count("Bytes that were checked or uploaded; creates and cancels that were made."),
            "total": count("How many there are, as far as it is known."),
            "elapsed_ms": ELAPSED,
        },
    ),
    "input.upload_repeated": Event(
        "warning",
        "Sending an input file failed, and it is sent again.",
        {"path": PATH, "error": ERROR},
    ),
    "job.created": Event("info", "A job was created.", BOUGHT),
    "job.create_unknown": Event(
        "warning",
        "The answer to a create was lost: the job is looked for by its op, and not created blindly again.",
        {"name": NAME, "op": OP, "error": ERROR},
    ),
    "job.adopted": Event("warning", "A job whose answer was lost was found by its op: it is ours.", BOUGHT),
    "job.create_failed": Event("error", "A job was certainly not created.", {"name": NAME, "error": ERROR}),
    "job.tags_altered": Event(
        "error",
        "A job was created, and the API altered a tag that makes it ours: no more jobs are created.",
        {"name": NAME, "job_id": JOB, "key": text("The metadata key.")},
    ),
    "job.cancelled": Event(
        "info",
        "A job is stopping, or had ended before the cancel came.",
        {
            "name": NAME,
            "job_id": JOB,
            "reason": text("Why; `docs/planner.md` lists the reasons."),
            "status": text("The job's status now, in the API's words."),
            "answered": count("How many of its requests were answered."),
        },
    ),
    "job.cancel_failed": Event(
        "error", "A job could not be cancelled.", {"name": NAME, "job_id": JOB, "error": ERROR}
    ),
    "jobs.not_listed_yet": Event(
        "warning",
        "Jobs that were created do not show in the list yet: a later run without the ledger could miss them.",
        {"job_ids": Field("strings", "Their ids.")},
    ),
    "apply.not_settled": Event(
        "warning",
        "What was created could not be looked at once more: a duplicate would be cancelled by the next apply.",
        {"error": ERROR},
    ),
    "apply.finished": Event(
        "info",
        "The plan was carried out, as far as it could be.",
        {
            "created": count("Jobs that were created."),
            "adopted": count("Jobs among them whose answer was lost and that were found."),
            "cancelled": count("Jobs that were cancelled."),
            "failed": count("Actions that certainly had no effect."),
            "unknown": count("Actions of which nobody can tell yet."),
            "skipped": count("Actions that were not begun."),
            "exit_code": count("How the process will end; `docs/exit-codes.md` lists the codes."),
            "elapsed_ms": ELAPSED,
        },
    ),
}

"""Events of an apply: uploads, creates, cancels."""

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
    event,
    maybe,
    text,
)

CREATED: Final[Mapping[str, Field]] = {
    "name": NAME,
    "job_id": JOB,
    "op": OP,
    "reason": text("Why it was created; `docs/planner.md` lists the reasons."),
    "attempt": count("Number of the attempt at this work, from 1."),
    "requests": maybe(count("How many requests it has; omitted if an uploaded file hides the number.")),
    "elapsed_ms": ELAPSED,
}
EVENTS: Final[Mapping[str, Event]] = {
    "apply.started": event(
        "info", "The apply starts.", decisions=count("Names for which the apply will write something.")
    ),
    "input.uploaded": event(
        "info",
        "An input file was uploaded to the workspace.",
        path=PATH,
        sha256=text("SHA-256 of its bytes, in hexadecimal."),
        bytes=count("Its size."),
        file_id=text("The uploaded file's id."),
        elapsed_ms=ELAPSED,
    ),
    "input.reused": event(
        "info",
        "An existing upload with the same content is reused.",
        path=PATH,
        sha256=text("SHA-256 of its bytes, in hexadecimal."),
        bytes=count("Its size."),
        file_id=text("The uploaded file's id."),
    ),
    "input.upload_vanished": event(
        "warning",
        "An upload to reuse no longer exists; its content is uploaded again.",
        file_id=text("Id of the missing upload."),
    ),
    "uploads.list_failed": event(
        "warning", "The list of uploads could not be read, so no upload is reused.", error=ERROR
    ),
    "upload.verify_failed": event(
        "warning",
        "An upload could not be read back for comparison, so its content is uploaded again.",
        file_id=text("Its id."),
        error=ERROR,
    ),
    "upload.content_mismatch": event(
        "error",
        "An upload's content does not match the digest in its name: something else created it. It is not used.",
        file_id=text("Its id."),
        filename=text("Its name."),
        sha256=text("SHA-256 of its bytes, in hexadecimal."),
    ),
    "progress.reported": event(
        "info",
        "A long operation goes on. Reported every ten seconds if there is no terminal for progress bars.",
        kind=text("The operation: `checking`, `uploading` or `writing`."),
        done=count("Bytes checked or uploaded, or creates and cancels sent."),
        total=count("The total, as far as it is known."),
        elapsed_ms=ELAPSED,
    ),
    "input.upload_repeated": event(
        "warning", "The upload of an input file failed and is repeated.", path=PATH, error=ERROR
    ),
    "job.created": event("info", "A job was created.", **CREATED),
    "job.create_unknown": event(
        "warning",
        "The answer to a create was lost: the job is searched for by its op, not created again blindly.",
        name=NAME,
        op=OP,
        error=ERROR,
    ),
    "job.recovered": event(
        "warning", "A create's answer was lost, and its job was found by its op.", **CREATED
    ),
    "job.create_failed": event("error", "A create failed; there is no job.", name=NAME, error=ERROR),
    "job.tags_altered": event(
        "error",
        "A job was created, and the API altered a tag that identifies it as ours: no more jobs are created.",
        name=NAME,
        job_id=JOB,
        key=text("The metadata key."),
    ),
    "job.cancelled": event(
        "info",
        "A job is stopping, or had ended before the cancel arrived.",
        name=NAME,
        job_id=JOB,
        reason=text("Why; `docs/planner.md` lists the reasons."),
        status=text("The job's new status, as the API writes it."),
        answered=count("How many of its requests were answered."),
    ),
    "job.cancel_failed": event("error", "A job could not be cancelled.", name=NAME, job_id=JOB, error=ERROR),
    "jobs.not_listed_yet": event(
        "warning",
        "Created jobs are not in the list yet: a later run without the ledger could miss them.",
        job_ids=Field("strings", "The jobs' ids."),
    ),
    "apply.duplicate_check_failed": event(
        "warning",
        "The created jobs could not be checked for duplicates; the next apply cancels a duplicate.",
        error=ERROR,
    ),
    "apply.finished": event(
        "info",
        "The apply is over.",
        created=count("Jobs that were created."),
        recovered=count("Those of them whose answer was lost and that were found by their op."),
        cancelled=count("Jobs that were cancelled."),
        failed=count("Actions that certainly had no effect."),
        unknown=count("Actions whose outcome is not known yet."),
        skipped=count("Actions that were not started."),
        exit_code=count("The exit code; `docs/exit-codes.md` lists the codes."),
        elapsed_ms=ELAPSED,
    ),
}

"""The result files of a job: which it will have, and their lines, which every read generates."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

import msgspec

from reconciler.sandbox import answers, lifecycle, rows
from reconciler.sandbox.inputs import Request
from reconciler.sandbox.rows import FileRow, JobRow

OUTPUT = "batch_result"
"""The API's sample type for the file of answers."""

ERRORS = "batch_error"
"""The API's sample type for the file of failed requests."""

_BLOCK_LINES = 100


def file_id(job_id: str, sample_type: str) -> str:
    """Return the id of a job's result file, which is known before the file exists."""
    return str(uuid5(UUID(job_id), sample_type))


def foresee(db: sqlite3.Connection, workspace: str, job: JobRow) -> None:
    """Write rows for the result files that a job will have, in place of those written before.

    They are dated with the job's end, and are shown from then on, so that no read has to write. There is no file
    without lines.
    """
    rows.delete_results(db, job.id)
    end = lifecycle.final(job.course)
    for sample_type, name, num_lines in (
        (OUTPUT, "output", end.succeeded_requests),
        (ERRORS, "errors", end.failed_requests),
    ):
        if num_lines:
            file = FileRow(
                id=file_id(job.id, sample_type),
                filename=f"{job.id}_{name}.jsonl",
                purpose="batch",
                sample_type=sample_type,
                source="mistral",
                mimetype="application/jsonl",
                visibility="workspace",
                created_at=lifecycle.end(job.course)[0],
                num_lines=num_lines,
                job=job.id,
            )
            rows.insert_file(db, workspace, file)


def lines(
    job: JobRow, requests: Iterable[Request], sample_types: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield the lines of an ended job's result files of these types, in the order of its requests."""
    completed = islice(requests, lifecycle.final(job.course).completed_requests)
    failing = frozenset(job.course.failing)
    for position, request in enumerate(completed):
        fails = position in failing
        if (ERRORS if fails else OUTPUT) in sample_types:
            yield answers.line(
                job.id,
                position,
                request,
                endpoint=job.endpoint,
                model=job.model,
                created=int(job.course.created_at),
                fails=fails,
            )


def encode(answered: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Encode lines in blocks, reversed within each block: the API does not guarantee an order either."""
    encoded = (msgspec.json.encode(line) + b"\n" for line in answered)
    while block := list(islice(encoded, _BLOCK_LINES)):
        yield b"".join(reversed(block))

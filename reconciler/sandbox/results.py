"""The result files of a job: which it will have, and their lines, which every read generates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

import msgspec

from reconciler.sandbox import answers, lifecycle
from reconciler.sandbox.inputs import Request
from reconciler.sandbox.jobrows import JobRow

OUTPUT = "batch_result"
"""The API's sample type for the file of answers."""

ERRORS = "batch_error"
"""The API's sample type for the file of failed requests."""

_BLOCK_LINES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """A result file of a job."""

    id: str
    filename: str
    sample_type: str
    num_lines: int


def file_id(job_id: str, sample_type: str) -> str:
    """Return the id of a job's result file, which is known before the file exists."""
    return str(uuid5(UUID(job_id), sample_type))


def files(job: JobRow) -> list[ResultFile]:
    """Return the result files that the job will have; there is no file without lines."""
    end = lifecycle.final(job.course)
    return [
        ResultFile(
            id=file_id(job.id, sample_type),
            filename=f"{job.id}_{name}.jsonl",
            sample_type=sample_type,
            num_lines=num_lines,
        )
        for sample_type, name, num_lines in (
            (OUTPUT, "output", end.succeeded),
            (ERRORS, "errors", end.failed),
        )
        if num_lines
    ]


def lines(
    job: JobRow, requests: Iterable[Request], sample_types: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield the lines of an ended job's result files of these types, in the order of its requests."""
    completed = islice(requests, lifecycle.final(job.course).completed)
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

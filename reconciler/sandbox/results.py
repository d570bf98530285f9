"""The result files of a job: which it will have, and their lines, which every read generates.

Answers and failed requests have the shapes that have been seen of the real API, and are plainly not from a model.
`docs/sandbox.md` documents the forms of failed requests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from reconciler.catalogue.mistakes import Mistake, mistakes
from reconciler.sandbox import instances, lifecycle, rows
from reconciler.sandbox.http import Json, envelope
from reconciler.sandbox.inputs import FAILING_REQUEST, Request, failure_form
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
    db.execute("DELETE FROM files WHERE job = ?", (job.id,))
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
            yield line(
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


TEXT = "Sandbox answer: no model was called."
"""The text of every answer that has text, unless `response_format` asks for JSON."""

JSON_TEXT = '{"sandbox":true}'
"""The text of an answer that is to be any JSON object."""

MODEL = "sandbox"
"""The model of an answer if neither the job nor the request has one."""

ASKED_TO_FAIL: Final = f"Sandbox failure: the custom_id ends in {FAILING_REQUEST}."
"""The message of every request that fails because of its `custom_id`."""

_BYTES_A_TOKEN = 4
_ANSWERS: Final = msgspec.json.decode(Path(__file__).with_name("answers.json").read_bytes())
ENDPOINTS: Final[Mapping[str, Json]] = {
    endpoint: answer["body"] for answer in _ANSWERS.values() for endpoint in answer["endpoints"]
}
"""Every endpoint that accepts batches, with the body of its answers; `_filled` replaces the texts with `$`."""


_REFUSED: Final = envelope(ASKED_TO_FAIL, param="custom_id", code="sandbox_failure")
_BROKEN: Final = envelope(ASKED_TO_FAIL, "internal_server_error")

FORMS: Final[Mapping[str, Json]] = {
    "400": {"response": {"status_code": 400, "body": _REFUSED}, "error": None},
    "error": {"response": None, "error": _REFUSED},
    "429": {"response": {"status_code": 429, "body": None}, "error": ASKED_TO_FAIL},
    "text": {"response": None, "error": ASKED_TO_FAIL},
    "500": {"response": {"status_code": 500, "body": _BROKEN}, "error": None},
    "noid": {"response": None, "error": _REFUSED},
}
"""The fields of a failed request's line. The line of `noid` has no `custom_id`."""

IN_TURN: Final = ("400", "error", "500", "text", "429")
"""The forms for a `custom_id` that names none, by the request's position."""


def line(
    job_id: str,
    position: int,
    request: Request,
    *,
    endpoint: str,
    model: str | None,
    created: int,
    fails: bool = False,
) -> Json:
    """Return the line of one request, in the output file or, if it fails, in the error file."""
    unique = uuid5(UUID(job_id), str(position))
    head: Json = {"id": f"batch-{job_id[:8]}-{position + 1}-{unique}", "custom_id": request.custom_id}
    body = request.body
    if not fails:
        values = {"$created": created, "$model": str(model or body.get("model") or MODEL), **_texts(body)}
        values |= {f"{prefix}$id": f"{prefix}{unique.hex}" for prefix in ("", "conv_", "msg_")}
        answer = _filled(ENDPOINTS[endpoint], values, _inputs(body))
        return {**head, "response": {"status_code": 200, "body": answer}, "error": None}
    named = failure_form(request.custom_id)
    if named is None:
        return {**head, **_refusal(mistakes(endpoint, body))}
    form = named if named in FORMS else IN_TURN[position % len(IN_TURN)]
    if form == "noid":
        del head["custom_id"]
    return {**head, **FORMS[form]}


def _refusal(found: Iterable[Mistake]) -> Json:
    """Return the fields of the line of a request whose body has mistakes: a 422 that names each."""
    detail = [
        {"type": "value_error", "loc": ["body", *it.path], "msg": f"{it.where} {it.what}"} for it in found
    ]
    return {"response": {"status_code": 422, "body": envelope({"detail": detail})}, "error": None}


def _texts(body: Json) -> Json:
    """Return the text of an answer, the JSON alone that a format asks for, and the numbers of tokens."""
    arguments = body.get("completion_args")
    inner = arguments if isinstance(arguments, dict) else {}
    formats = (holder.get("response_format") for holder in (body, inner))
    json = next(filter(None, map(_formatted, (*formats, body.get("document_annotation_format")))), None)
    asked = -(-len(msgspec.json.encode(body)) // _BYTES_A_TOKEN)
    return {"$plain": TEXT, "$text": json or TEXT, "$json": json, "$asked": asked, "$asked+7": asked + 7}


def _formatted(wanted: object) -> str | None:
    """Return JSON text as a `response_format` asks for it, None if it asks for none."""
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return instances.instance_text(schema)
        case {"type": "json_object"}:
            return JSON_TEXT
        case _:
            return None


def _filled(template: object, values: Mapping[str, object], inputs: int) -> object:
    """Return a body with values in place of their names; a list that begins with `$each` repeats the rest."""
    match template:
        case str():
            return values.get(template, template)
        case ["$each", each]:
            return [_filled(each, {**values, "$index": index}, 0) for index in range(inputs)]
        case list():
            return [_filled(each, values, inputs) for each in template]
        case dict():
            return {name: _filled(each, values, inputs) for name, each in template.items()}
        case _:
            return template


def _inputs(body: Json) -> int:
    """Return the number of results: a list of texts or of conversations has one for each member."""
    given = body.get("input", body.get("inputs"))
    if not isinstance(given, list) or (given and isinstance(given[0], dict)):
        return 1
    return len(given)

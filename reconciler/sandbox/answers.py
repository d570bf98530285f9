"""The lines of result files: the sandbox's answer to a request, by endpoint, and why a request failed.

Both have the shapes that have been seen of the real API, and are plainly not from a model. `docs/sandbox.md` documents
the forms of failed requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from reconciler.catalogue.mistakes import Mistake, mistakes
from reconciler.sandbox import instances
from reconciler.sandbox.inputs import FAILING_REQUEST, Request, failure_form

Json = dict[str, Any]

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
"""Every endpoint that accepts batches, with the body of its answers; `_filled` says what texts with `$` stand for."""


def _envelope(message: object, kind: str = "invalid_request_error", **more: str) -> Json:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": None, **more}


_REFUSED: Final = _envelope(ASKED_TO_FAIL, param="custom_id", code="sandbox_failure")
_BROKEN: Final = _envelope(ASKED_TO_FAIL, "internal_server_error")

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
    return {"response": {"status_code": 422, "body": _envelope({"detail": detail})}, "error": None}


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

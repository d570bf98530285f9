"""The sandbox's answer to a request, by endpoint: in the real shape, and plainly not from a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from reconciler.catalogue.mistakes import mistakes
from reconciler.sandbox import failures, instances
from reconciler.sandbox.inputs import Request

Json = dict[str, Any]

TEXT = "Sandbox answer: no model was called."
"""The text of every answer that has text, unless `response_format` asks for JSON."""

JSON_TEXT = '{"sandbox":true}'
"""The text of an answer that is to be any JSON object."""

MODEL = "sandbox"
"""The model of an answer if neither the job nor the request has one."""

_LABEL = "sandbox"
_ZEROS = [0.0] * 8
_ANSWER_TOKENS = 7
_BYTES_A_TOKEN = 4


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
    if not fails:
        named = model or request.body.get("model") or MODEL
        call = _Call(unique.hex, str(named), created, request.body)
        return {**head, "response": {"status_code": 200, "body": ENDPOINTS[endpoint](call)}, "error": None}
    if not failures.is_failing(request.custom_id):
        return {**head, **failures.refusal(mistakes(endpoint, request.body))}
    form = failures.form(request.custom_id, position)
    if form == "noid":
        del head["custom_id"]
    return {**head, **failures.FORMS[form]}


class _Call(Struct, frozen=True):
    id: str
    model: str
    created: int
    body: Json


def _formatted(wanted: object) -> str | None:
    """Return JSON text as a `response_format` asks for it, None if it asks for none."""
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return instances.instance_text(schema)
        case {"type": "json_object"}:
            return JSON_TEXT
        case _:
            return None


def _chat_completion(call: _Call) -> Json:
    content = _formatted(call.body.get("response_format")) or TEXT
    message = {"role": "assistant", "content": content, "tool_calls": None}
    return {
        "id": call.id,
        "object": "chat.completion",
        "created": call.created,
        "model": call.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(call, _ANSWER_TOKENS),
    }


def _embeddings(call: _Call) -> Json:
    return {
        "id": call.id,
        "object": "list",
        "model": call.model,
        "data": [
            {"object": "embedding", "embedding": _ZEROS, "index": index} for index in range(_inputs(call))
        ],
        "usage": _usage(call, 0),
    }


def _labels(result: Json) -> Callable[[_Call], Json]:
    """Return what answers with this result for each input."""
    return lambda call: {
        "id": call.id,
        "model": call.model,
        "results": [result] * _inputs(call),
        "usage": _usage(call, 0),
    }


_moderations = _labels({"categories": {_LABEL: False}, "category_scores": {_LABEL: 0.0}})
_classifications = _labels({_LABEL: {"scores": {_LABEL: 0.0}}})


def _ocr(call: _Call) -> Json:
    return {
        "pages": [{"index": 0, "markdown": TEXT, "images": [], "dimensions": None}],
        "model": call.model,
        "document_annotation": _formatted(call.body.get("document_annotation_format")),
        "usage_info": {"pages_processed": 1, "doc_size_bytes": None},
    }


def _conversation(call: _Call) -> Json:
    arguments = call.body.get("completion_args")
    wanted = arguments.get("response_format") if isinstance(arguments, dict) else None
    entry = {
        "object": "entry",
        "type": "message.output",
        "id": f"msg_{call.id}",
        "role": "assistant",
        "model": call.model,
        "content": _formatted(wanted) or TEXT,
    }
    return {
        "object": "conversation.response",
        "conversation_id": f"conv_{call.id}",
        "outputs": [entry],
        "usage": _usage(call, _ANSWER_TOKENS),
    }


def _transcription(call: _Call) -> Json:
    return {
        "model": call.model,
        "text": TEXT,
        "language": None,
        "segments": [],
        "usage": _usage(call, _ANSWER_TOKENS),
    }


def _usage(call: _Call, answered: int) -> Json:
    asked = -(-len(msgspec.json.encode(call.body)) // _BYTES_A_TOKEN)
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _inputs(call: _Call) -> int:
    """Return the number of results: a list of texts or of conversations has one for each member."""
    given = call.body.get("input", call.body.get("inputs"))
    if not isinstance(given, list) or (given and isinstance(given[0], dict)):
        return 1
    return len(given)


ENDPOINTS: Mapping[str, Callable[[_Call], Json]] = {
    "/v1/chat/completions": _chat_completion,
    "/v1/embeddings": _embeddings,
    "/v1/fim/completions": _chat_completion,
    "/v1/moderations": _moderations,
    "/v1/chat/moderations": _moderations,
    "/v1/ocr": _ocr,
    "/v1/classifications": _classifications,
    "/v1/chat/classifications": _classifications,
    "/v1/conversations": _conversation,
    "/v1/audio/transcriptions": _transcription,
}
"""Every endpoint that accepts batches, with the function that answers."""

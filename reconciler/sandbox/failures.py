"""The lines of failed requests, in every form that has been seen of the API's error lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.catalogue.mistakes import Mistake
from reconciler.sandbox import triggers

Json = dict[str, Any]

ASKED_TO_FAIL: Final = f"Sandbox failure: the custom_id ends in {triggers.FAILING_REQUEST}."
"""The message of every request that fails because of its `custom_id`."""


def _envelope(message: object, kind: str = "invalid_request_error", **more: str) -> Json:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": None, **more}


_REFUSED: Final = _envelope(ASKED_TO_FAIL, param="custom_id", code="sandbox_failure")

FORMS: Final[Mapping[str, Json]] = {
    "400": {"response": {"status_code": 400, "body": _REFUSED}, "error": None},
    "error": {"response": None, "error": _REFUSED},
    "429": {"response": {"status_code": 429, "body": None}, "error": ASKED_TO_FAIL},
    "text": {"response": None, "error": ASKED_TO_FAIL},
    "500": {
        "response": {"status_code": 500, "body": _envelope(ASKED_TO_FAIL, "internal_server_error")},
        "error": None,
    },
    "noid": {"response": None, "error": _REFUSED},
}
"""The fields of a failed request's line. The line of `noid` has no `custom_id`."""

IN_TURN: Final = ("400", "error", "500", "text", "429")
"""The forms for a `custom_id` that names none, by the request's position."""


def form(custom_id: str | None, position: int) -> str:
    """Return the form of the line of a request that fails because of its `custom_id`."""
    named = triggers.failure_form(custom_id)
    return named if named is not None and named in FORMS else IN_TURN[position % len(IN_TURN)]


def refusal(found: Iterable[Mistake]) -> Json:
    """Return the fields of the line of a request whose body has mistakes: a 422 that names each."""
    detail = [
        {"type": "value_error", "loc": ["body", *it.path], "msg": f"{it.where} {it.what}"} for it in found
    ]
    return {"response": {"status_code": 422, "body": _envelope({"detail": detail})}, "error": None}

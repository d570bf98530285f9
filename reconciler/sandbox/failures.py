"""Jobs and requests that fail: the names that make them fail on purpose, and the lines of failed requests.

`docs/sandbox.md` documents the names and the forms of the lines, which are those that have been seen of the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.catalogue.mistakes import Mistake

Json = dict[str, Any]

REFUSED_MODEL = "sandbox-refused"
"""Prefix of a model whose jobs are rejected by the create call: 400, `unknown_model`."""

UNKNOWN_MODEL = "sandbox-unknown"
"""Prefix of a model whose jobs are created and then end as FAILED, without answers."""

STUCK_MODEL = "sandbox-stuck"
"""Prefix of a model whose jobs answer half of their requests and then nothing until their timeout."""

FAILING_REQUEST = "!fail"
"""Suffix of the `custom_id` of a request that fails. `!fail-429` and so on choose how: see `FORMS`."""

_FAILING = re.compile(rf"{FAILING_REQUEST}(?:-(?P<form>[a-z0-9]+))?$")

ASKED_TO_FAIL: Final = f"Sandbox failure: the custom_id ends in {FAILING_REQUEST}."
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


def names(model: str | None, trigger: str) -> bool:
    """Return whether a model begins with a trigger."""
    return model is not None and model.startswith(trigger)


def is_failing(custom_id: str | None) -> bool:
    """Return whether the request with this `custom_id` fails."""
    return failure_form(custom_id) is not None


def failure_form(custom_id: str | None) -> str | None:
    """Return the form that a failing request names, "" if it names none, and None if the request does not fail."""
    found = _FAILING.search(custom_id or "")
    return (found["form"] or "") if found else None


def form(custom_id: str | None, position: int) -> str:
    """Return the form of the line of a request that fails because of its `custom_id`."""
    named = failure_form(custom_id)
    return named if named is not None and named in FORMS else IN_TURN[position % len(IN_TURN)]


def refusal(found: Iterable[Mistake]) -> Json:
    """Return the fields of the line of a request whose body has mistakes: a 422 that names each."""
    detail = [
        {"type": "value_error", "loc": ["body", *it.path], "msg": f"{it.where} {it.what}"} for it in found
    ]
    return {"response": {"status_code": 422, "body": _envelope({"detail": detail})}, "error": None}

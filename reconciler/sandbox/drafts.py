"""Check the body of a create call, and report every problem with its location, as the real API does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from reconciler.sandbox.answers import ENDPOINTS
from reconciler.sandbox.errors import ErrorResponse, ValidationProblem, unprocessable
from reconciler.sandbox.queries import one_of, outside

MAX_INLINE_REQUESTS = 10_000
MAX_INLINE_BYTES = 1_000_000
"""Largest body of a create call with inline requests. The real gateway has such a limit too; its size is unknown."""
MAX_METADATA_KEY_LENGTH = 32
MAX_METADATA_VALUE_LENGTH = 512
MIN_HOURS, MAX_HOURS, DEFAULT_HOURS = 1, 168, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A well-formed create call."""

    endpoint: str
    model: str | None
    agent_id: str | None
    metadata: dict[str, str] | None
    timeout_hours: int
    input_files: list[str]
    """File ids; empty for inline requests."""
    requests: list[dict[str, Any]]
    """Inline requests; empty for input files."""


def read(raw: bytes) -> Draft:
    """Read the body of a create call.

    Raises:
        ErrorResponse: 422, with every problem.
    """
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal("json_invalid", f"JSON decode error: {error}", {}) from None
    if not isinstance(body, dict):
        raise _refusal("model_attributes_type", "Input should be a valid dictionary", body)
    checker = _Checker()
    draft = checker.draft(body)
    if checker.problems:
        raise unprocessable(checker.problems)
    return draft


def _refusal(kind: str, message: str, given: object) -> ErrorResponse:
    return unprocessable([ValidationProblem(kind, ["body"], message, given)])


class _Checker:
    """Returns each field's checked value, or adds a problem and returns a harmless value."""

    def __init__(self) -> None:
        self.problems: list[ValidationProblem] = []

    def draft(self, body: dict[str, Any]) -> Draft:
        given = [name for name in ("input_files", "requests") if body.get(name)]
        if len(given) != 1:
            self.refuse("value_error", "Value error, give either input_files or requests", given)
        return Draft(
            endpoint=self.endpoint(body),
            model=self.optional_text(body.get("model"), "model"),
            agent_id=self.optional_text(body.get("agent_id"), "agent_id"),
            metadata=self.metadata(body.get("metadata")),
            timeout_hours=self.timeout_hours(body.get("timeout_hours", DEFAULT_HOURS)),
            input_files=self.input_files(body.get("input_files")),
            requests=self.requests(body.get("requests")),
        )

    def refuse(self, kind: str, message: str, given: object, *place: str | int) -> None:
        self.problems.append(ValidationProblem(kind, ["body", *place], message, given))

    def endpoint(self, body: dict[str, Any]) -> str:
        given = body.get("endpoint")
        if "endpoint" not in body:
            self.refuse("missing", "Field required", {}, "endpoint")
        elif not isinstance(given, str) or given not in ENDPOINTS:
            self.refuse("enum", f"Input should be {one_of(ENDPOINTS)}", given, "endpoint")
        return str(given)

    def optional_text(self, given: object, *place: str | int) -> str | None:
        return None if given is None else self.text(given, *place)

    def text(self, given: object, *place: str | int) -> str:
        if isinstance(given, str):
            return given
        self.refuse("string_type", "Input should be a valid string", given, *place)
        return "?"

    def metadata(self, given: object) -> dict[str, str] | None:
        if given is None:
            return None
        pairs = self.dictionary(given, "metadata")
        for key, value in pairs.items():
            self.length(key, MAX_METADATA_KEY_LENGTH, "metadata", key, "[key]")
            self.length(self.text(value, "metadata", key), MAX_METADATA_VALUE_LENGTH, "metadata", key)
        return pairs

    def length(self, text: str, most: int, *place: str) -> None:
        if not text:
            self.refuse("string_too_short", "String should have at least 1 character", text, *place)
        elif len(text) > most:
            self.refuse("string_too_long", f"String should have at most {most} characters", text, *place)

    def timeout_hours(self, given: object) -> int:
        if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
            self.refuse("int_type", "Input should be a valid integer", given, "timeout_hours")
            return DEFAULT_HOURS
        if found := outside(given, MIN_HOURS, MAX_HOURS):
            self.refuse(*found, given, "timeout_hours")
        return int(given)

    def input_files(self, given: object) -> list[str]:
        members = self.members(given, "input_files")
        return [self.uuid(member, "input_files", position) for position, member in enumerate(members)]

    def uuid(self, given: object, *place: str | int) -> str:
        try:
            return str(UUID(self.text(given, *place)))
        except ValueError:
            if isinstance(given, str):
                self.refuse("uuid_parsing", "Input should be a valid UUID", given, *place)
            return ""

    def requests(self, given: object) -> list[dict[str, Any]]:
        members = self.members(given, "requests")
        if len(members) > MAX_INLINE_REQUESTS:
            message = (
                f"List should have at most {MAX_INLINE_REQUESTS} items after validation, not {len(members)}"
            )
            self.refuse("too_long", message, f"{len(members)} items", "requests")
            return []
        for position, member in enumerate(members):
            request = self.dictionary(member, "requests", position)
            if "body" in request:
                self.dictionary(request["body"], "requests", position, "body")
            elif isinstance(member, dict):
                self.refuse("missing", "Field required", member, "requests", position, "body")
            self.optional_text(request.get("custom_id"), "requests", position, "custom_id")
        return members

    def members(self, given: object, *place: str | int) -> list[Any]:
        if given is None or isinstance(given, list):
            return given or []
        self.refuse("list_type", "Input should be a valid list", given, *place)
        return []

    def dictionary(self, given: object, *place: str | int) -> dict[str, Any]:
        if isinstance(given, dict):
            return given
        self.refuse("dict_type", "Input should be a valid dictionary", given, *place)
        return {}

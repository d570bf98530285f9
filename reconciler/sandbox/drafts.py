"""The body of a create call."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from reconciler.sandbox.answers import ENDPOINTS
from reconciler.sandbox.errors import unprocessable
from reconciler.sandbox.inputs import Request

MAX_INLINE_BYTES = 1_000_000
"""Largest body of a create call with inline requests. The real gateway has such a limit too; its size is unknown."""

_Key = Annotated[str, Meta(min_length=1, max_length=32)]
_Value = Annotated[str, Meta(min_length=1, max_length=512)]


class Draft(Struct, frozen=True, kw_only=True):
    """A job to create."""

    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    metadata: dict[_Key, _Value] | None = None
    timeout_hours: Annotated[float, Meta(ge=1, le=168, multiple_of=1)] = 24
    """A whole number: JSON does not distinguish 24 and 24.0."""
    input_files: list[UUID] | None = None
    requests: Annotated[list[Request], Meta(max_length=10_000)] | None = None

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint should be one of {', '.join(ENDPOINTS)}")
        if bool(self.input_files) == bool(self.requests):
            raise ValueError("give either input_files or requests")


def read(raw: bytes) -> Draft:
    """Read the body of a create call.

    Raises:
        ErrorResponse: 422, with the first problem.
    """
    try:
        return msgspec.json.decode(raw, type=Draft)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, UTF-8 and validation errors alike
        raise unprocessable("body", error) from None

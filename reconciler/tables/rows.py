"""Read joined results as rows of plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access
from reconciler.requests.answers import DECODE_ERRORS, Outcome, reason
from reconciler.requests.contents import read_contents
from reconciler.tables.columns import Column, value_of

_NULL: Final = msgspec.Raw(b"null")


class _Error(msgspec.Struct, frozen=True):
    kind: str
    status_code: int | None = None
    detail: msgspec.Raw = _NULL


class Row(msgspec.Struct, frozen=True):
    """A line of the joined results."""

    custom_id: str
    ok: bool
    body: msgspec.Raw = _NULL
    error: _Error | None = None
    check: str | None = None
    job: str | None = None

    @property
    def reason(self) -> str:
        """Why the request failed, "" if it was answered."""
        if self.error is None:
            return ""
        if bytes(self.error.detail) == b"null":
            return self.error.kind
        return reason(Outcome("", self.error.kind, bytes(self.error.detail), self.error.status_code))

    def text(self) -> str | None:
        """Return the text of the first choice of an answer, None if it has none."""
        return next(read_contents(bytes(self.body))[0].texts(), None)

    def values(self, fields: Sequence[Column], *, body: bool) -> dict[str, Any]:
        """Return the row as plain values by column: `fields` of the answer itself, and if wanted its body as JSON."""
        contents = read_contents(bytes(self.body))[0]
        text, usage = next(contents.texts(), None), contents.usage
        answer = _decoded(text) if fields else {}
        found: dict[str, Any] = {
            "custom_id": self.custom_id,
            "ok": self.ok,
            "check": self.check,
            "text": text,
            "prompt_tokens": usage and usage.prompt_tokens,
            "completion_tokens": usage and usage.completion_tokens,
            "total_tokens": usage and usage.total_tokens,
            "error_kind": self.error and self.error.kind,
            "error_reason": self.reason or None,
            "job": self.job,
            "model": contents.model,
        }
        if body:
            found["body"] = bytes(self.body).decode() if self.ok else None
        return found | {field.name: value_of(field, answer) for field in fields}


def encode_row(row: Row) -> bytes:
    """Return a row as a line of the joined results."""
    return msgspec.json.encode(row) + b"\n"


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of joined results. Raises `OSError`."""
    decode = msgspec.json.Decoder(Row).decode
    with file_access.open_to_read(path) as file:
        yield from map(decode, file)


def _decoded(text: str | None) -> dict[str, Any]:
    """Return an answer's JSON object, {} if it is none."""
    try:
        value = msgspec.json.decode(text or "{}")
    except (*DECODE_ERRORS, UnicodeEncodeError):
        return {}
    return value if isinstance(value, dict) else {}

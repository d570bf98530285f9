"""Read joined results as rows: columns of every request, and of the fields that a JSON schema declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.requests.answers import DECODE_ERRORS, Outcome, reason
from reconciler.requests.contents import read_contents

TEXT: Final = "text"
INTEGER: Final = "integer"
NUMBER: Final = "number"
BOOLEAN: Final = "boolean"
JSON: Final = "json"
"""Any other value, as JSON."""

_TYPES: Final = {"string": TEXT, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN}
_MAX_INTEGER: Final = 2**63


class Column(Struct, frozen=True):
    """A column."""

    name: str
    type: str
    field: str = ""
    """The field of the answer that it shows."""


BASE: Final = (
    Column("custom_id", TEXT),
    Column("ok", BOOLEAN),
    Column("check", TEXT),
    Column("text", TEXT),
    Column("prompt_tokens", INTEGER),
    Column("completion_tokens", INTEGER),
    Column("total_tokens", INTEGER),
    Column("error_kind", TEXT),
    Column("error_reason", TEXT),
    Column("job", TEXT),
    Column("model", TEXT),
)
TEXT_ENDPOINTS: Final = (
    "/v1/chat/completions",
    "/v1/fim/completions",
    "/v1/ocr",
    "/v1/audio/transcriptions",
)
"""Endpoints whose answers have texts; a table of others has their bodies."""
NAME: Final = Column("name", TEXT)
"""The first column of a table of several names."""
BODY: Final = Column("body", TEXT)
"""The body of answers that are no text."""


def field_columns(schemas: Iterable[Any]) -> tuple[Column, ...]:
    """Return a column for each property of object schemas. One with two types is shown as JSON."""
    types: dict[str, str] = {}
    for schema in schemas:
        holder = _resolved(schema, schema)
        properties = holder.get("properties")
        for name, each in properties.items() if isinstance(properties, dict) else ():
            kind = _type(_resolved(each, schema), schema)
            types[name] = kind if types.get(name, kind) == kind else JSON
    taken = {column.name for column in (NAME, *BASE, BODY)}
    return tuple(
        Column(f"answer_{name}" if name in taken else name, kind, name) for name, kind in types.items()
    )


def value_of(column: Column, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - of the column's type
    """Return the value of an answer's field; None if it is missing or of another type."""
    value = answer.get(column.field)
    if value is None:
        return None
    if column.type == JSON:
        return msgspec.json.encode(value).decode()
    if column.type == NUMBER and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < _MAX_INTEGER else None
    if column.type == INTEGER and isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = {
        TEXT: isinstance(value, str),
        NUMBER: isinstance(value, float),
        BOOLEAN: isinstance(value, bool),
        INTEGER: type(value) is int and abs(value) < _MAX_INTEGER,
    }
    return value if fits[column.type] else None


def _resolved(schema: Any, root: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return what a schema's `$ref` leads to, one step, {} if it is no object."""
    target = schema.get("$ref") if isinstance(schema, dict) else None
    found = schema
    if isinstance(target, str) and target.startswith("#/"):
        found = root
        for part in target.split("/")[1:]:
            found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _type(schema: dict[str, Any], root: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the column type of a property; null beside one type changes nothing."""
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        kinds = {_type(_resolved(each, root), {}) for each in branches if each != {"type": "null"}}
        return kinds.pop() if len(kinds) == 1 else JSON
    named = schema.get("type")
    names = [name for name in named if name != "null"] if isinstance(named, list) else [named]
    if names == [None]:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        return TEXT if values and all(isinstance(value, str) for value in values) else JSON
    return _TYPES.get(names[0], JSON) if len(names) == 1 and isinstance(names[0], str) else JSON


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
        """Return the text of an answer: of its first choice, or of its pages; None if it has none."""
        return read_contents(bytes(self.body))[0].main_text

    def values(self, fields: Sequence[Column], *, body: bool) -> dict[str, Any]:
        """Return the row as plain values by column: `fields` of the answer itself, and if wanted its body as JSON."""
        contents = read_contents(bytes(self.body))[0]
        text, usage = contents.main_text, contents.usage
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

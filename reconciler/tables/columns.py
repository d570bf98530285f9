"""Columns of a table of results: those of every request, and those of the fields that a JSON schema declares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

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
TEXT_ENDPOINTS: Final = ("/v1/chat/completions", "/v1/fim/completions")
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

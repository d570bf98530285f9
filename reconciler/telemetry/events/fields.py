"""The types of the catalogue, and the fields that many events share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
"""From the least important to the most important."""


class Field(Struct, frozen=True):
    """One field of an event."""

    type: Literal["string", "integer", "strings"]
    meaning: str
    optional: bool = False
    """True if the value may be unknown. The field is then omitted."""


class Event(Struct, frozen=True):
    """One kind of event."""

    level: Level
    meaning: str
    fields: Mapping[str, Field]


def event(level: Level, meaning: str, /, **fields: Field) -> Event:
    """Return a kind of event with these fields."""
    return Event(level, meaning, fields)


def text(meaning: str) -> Field:
    """Return a text field."""
    return Field("string", meaning)


def count(meaning: str) -> Field:
    """Return an integer field."""
    return Field("integer", meaning)


def maybe(field: Field) -> Field:
    """Return a field that may be omitted."""
    return Field(field.type, field.meaning, optional=True)


HEAD: Final[Mapping[str, Field]] = {
    "at": text("Time: RFC 3339, UTC, milliseconds."),
    "level": text("Level: debug, info, warning or error. Constant for an event."),
    "event": text("The event's name."),
}
"""The first fields of every line."""

BOUND: Final[Mapping[str, Field]] = {
    "run_id": text("The id of this tool's run, as in the ledger."),
    "project": text("The project that owns the jobs, as in `reconciler.yaml`."),
    "commit": text("The checked-out commit; empty outside of git."),
}
"""The last fields of every line: the same for all lines of a run, from any thread."""

NAME: Final = text("The job's name in the specs.")
JOB: Final = text("The job's id.")
OP: Final = text("The id of this create, which is also in the job's tags and in the ledger.")
ERROR: Final = text("The error message.")
ELAPSED: Final = count("Duration in milliseconds.")
PATH: Final = text("The file, relative to the project root.")

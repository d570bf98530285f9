"""What an event is made of, and the facts that many events share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
"""From the least important to the most important."""


class Field(Struct, frozen=True):
    """One fact of an event."""

    type: Literal["string", "integer", "strings"]
    meaning: str
    optional: bool = False
    """True where the fact may be unknown; it is left out then."""


class Event(Struct, frozen=True):
    """One thing that can happen."""

    level: Level
    meaning: str
    fields: Mapping[str, Field]


def text(meaning: str) -> Field:
    """Return a fact in words."""
    return Field("string", meaning)


def count(meaning: str) -> Field:
    """Return a fact in numbers."""
    return Field("integer", meaning)


def maybe(field: Field) -> Field:
    """Return a fact that may be unknown."""
    return Field(field.type, field.meaning, optional=True)


HEAD: Final[Mapping[str, Field]] = {
    "at": text("When it happened: RFC 3339, UTC, milliseconds."),
    "level": text("How important it is: debug, info, warning or error. Constant for an event."),
    "event": text("What happened."),
}
"""What stands in front of every line."""

BOUND: Final[Mapping[str, Field]] = {
    "run_id": text("The run of this tool, as in the ledger."),
    "project": text("The owner of the jobs, as in `reconciler.yaml`."),
    "commit": text("The commit that was checked out; empty outside of git."),
}
"""What stands at the end of every line: the same for all lines of a run, whatever thread wrote them."""

NAME: Final = text("The job's name in the specs.")
JOB: Final = text("The job's id.")
OP: Final = text("The name of this one create, which the job's tags and the ledger carry too.")
ERROR: Final = text("What went wrong.")
ELAPSED: Final = count("How long it took, in milliseconds.")
PATH: Final = text("The file, relative to the project root.")

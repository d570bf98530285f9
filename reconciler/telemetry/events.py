"""The catalogue of events: every event name of the log, with its level, its meaning and its fields.

A name is dotted, in the past tense and constant; the fields have everything that varies. The catalogue, `events.json`,
decides an event's level and the order of its fields. `schemas/event.schema.json` and `docs/events.md` are generated
from it, and tests check every logged event against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From the least important to the most important."""


class Field(Struct, frozen=True, forbid_unknown_fields=True):
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


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    level: Level
    meaning: str
    fields: dict[str, Field | None]
    """None for a field that many events share."""


class _Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    head: dict[str, Field]
    bound: dict[str, Field]
    shared: dict[str, Field]
    events: dict[str, _Entry]


_CATALOGUE: Final = msgspec.json.decode(Path(__file__).with_name("events.json").read_bytes(), type=_Catalogue)
HEAD: Final[Mapping[str, Field]] = _CATALOGUE.head
"""The first fields of every line."""
BOUND: Final[Mapping[str, Field]] = _CATALOGUE.bound
"""The last fields of every line: the same for all lines of a run, from any thread."""
EVENTS: Final[Mapping[str, Event]] = {
    name: Event(
        it.level, it.meaning, {key: field or _CATALOGUE.shared[key] for key, field in it.fields.items()}
    )
    for name, it in _CATALOGUE.events.items()
}
"""Every event, in the order of a run."""

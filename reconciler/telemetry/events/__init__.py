"""The catalogue of events: every event name of the log, with its level, its meaning and its fields.

A name is dotted, in the past tense and constant; the fields have everything that varies. The catalogue decides an
event's level and the order of its fields. `schemas/event.schema.json` and `docs/events.md` are generated from it,
and tests check every logged event against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events import applying, ended_jobs, planning, run
from reconciler.telemetry.events.fields import BOUND, HEAD, LEVELS, Event, Field, Level

__all__ = ["BOUND", "EVENTS", "HEAD", "LEVELS", "Event", "Field", "Level", "validate_event"]

EVENTS: Final[Mapping[str, Event]] = {
    **planning.EVENTS,
    **applying.EVENTS,
    **ended_jobs.EVENTS,
    **run.EVENTS,
}
"""Every event, in the order of a run."""


def validate_event(event: str, facts: Mapping[str, object]) -> str:
    """Return how an event differs from the catalogue, "" if it does not."""
    known = EVENTS.get(event)
    if known is None:
        return f"{event} is not in the catalogue of events"
    given = {key for key, value in facts.items() if value is not None}
    missing = {key for key, field in known.fields.items() if not field.optional} - given
    wrong = [f"no {key}" for key in sorted(missing)]
    wrong += [f"{key} is not in the catalogue" for key in sorted(facts.keys() - known.fields.keys())]
    wrong += [
        f"{key} is not of type {field.type}: {facts[key]!r}"
        for key, field in known.fields.items()
        if key in given and not _fits(field, facts[key])
    ]
    return f"{event}: {'; '.join(wrong)}" if wrong else ""


def _fits(field: Field, value: object) -> bool:
    if field.type == "strings":
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return isinstance(value, str if field.type == "string" else int) and not isinstance(value, bool)

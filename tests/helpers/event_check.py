"""Compare an event with the catalogue. Imports only the package: a mutated copy of it runs this module too."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.telemetry.logs import EVENTS, Field


def mismatch(event: str, facts: Mapping[str, object]) -> str:
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


def check_event(event: str, facts: Mapping[str, object]) -> None:
    """Fail if an event differs from the catalogue."""
    wrong = mismatch(event, facts)
    assert not wrong, wrong

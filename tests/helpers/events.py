"""Check a run's events against the catalogue: `check_lines` for a command's log, `Recorder` for a function's calls."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from reconciler.telemetry.logs import EVENTS
from tests.helpers.event_check import check_event
from tools.generate import event_pages


@cache
def schemas() -> dict[str, Any]:
    """Return the schema of each event's lines."""
    found: dict[str, Any] = json.loads(event_pages.schema())["$defs"]
    return found


@cache
def validator(event: str) -> Draft202012Validator:
    """Return what validates the lines of one event."""
    return Draft202012Validator(schemas()[event])


CHECKED: set[tuple[object, ...]] = set()
"""Shapes of lines that conform. A schema asks for the level, the form of the time, and keys and types."""


def kind(key: str, value: object) -> object:
    """Return the type of a value, those of a list's items, and the form of the time."""
    if key == "at":
        return re.sub("[0-9]", "0", str(value))
    return (list, *sorted({str(type(item)) for item in value})) if isinstance(value, list) else type(value)


def check_line(line: str) -> dict[str, Any]:
    """Return a line as a value, after holding it to the schema."""
    reported: dict[str, Any] = json.loads(line)
    assert reported.get("event") in EVENTS, f"not in the catalogue: {line}"
    shape = (
        reported["event"],
        reported.get("level"),
        *((key, kind(key, it)) for key, it in reported.items()),
    )
    if shape not in CHECKED:
        wrong = [error.message for error in validator(reported["event"]).iter_errors(reported)]
        assert not wrong, f"{'; '.join(wrong)}: {line}"
        CHECKED.add(shape)
    return reported


def check_lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of a JSON log as values, after holding each to the schema."""
    return [check_line(line) for line in text.splitlines()]


@dataclass
class Recorder:
    """A log for tests: keeps the events of all threads, and refuses an event that the catalogue does not list."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: str, /, **facts: object) -> None:
        check_event(event, facts)
        with self.lock:
            self.events.append((event, facts))

    @property
    def names(self) -> list[str]:
        """The events in order."""
        return [event for event, _ in self.events]

    def of(self, event: str) -> list[dict[str, object]]:
        """Return the facts of each time that an event happened."""
        return [facts for name, facts in self.events if name == event]

"""Hold a run's log to the catalogue: `check_lines` for what a command wrote, `Recorder` for what a function tells."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from reconciler.telemetry.events import EVENTS, complaint
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


def check_line(line: str) -> dict[str, Any]:
    """Return a line as a value, after holding it to the schema."""
    told: dict[str, Any] = json.loads(line)
    assert told.get("event") in EVENTS, f"not in the catalogue: {line}"
    wrong = [error.message for error in validator(told["event"]).iter_errors(told)]
    assert not wrong, f"{'; '.join(wrong)}: {line}"
    return told


def check_lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of a JSON log as values, after holding each to the schema."""
    return [check_line(line) for line in text.splitlines()]


@dataclass
class Recorder:
    """A log for tests: keeps what it is told, from any thread, and takes nothing that the catalogue does not know."""

    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: str, /, **facts: object) -> None:
        wrong = complaint(event, facts)
        assert not wrong, wrong
        with self.lock:
            self.told.append((event, facts))

    @property
    def names(self) -> list[str]:
        """The events in order."""
        return [event for event, _ in self.told]

    def of(self, event: str) -> list[dict[str, object]]:
        """Return the facts of each time that an event happened."""
        return [facts for name, facts in self.told if name == event]

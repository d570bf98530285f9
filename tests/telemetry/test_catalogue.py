"""The catalogue and the code agree: read from the source, so that a call which no test reaches counts too."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from jsonschema import Draft202012Validator

from reconciler.telemetry.logs import BOUND, EVENTS, HEAD
from tests.helpers.events import check_line
from tests.helpers.source import calls
from tools.generate import event_pages

STARTED = {
    "at": "2025-11-21T12:00:00.000Z",
    "level": "info",
    "event": "apply.started",
    "decisions": 1,
    **dict.fromkeys(BOUND, "x"),
}
"""A valid line."""


@dataclass(frozen=True)
class LogCall:
    """One call of a log in the source."""

    where: str
    events: tuple[str, ...]
    fields: frozenset[str]
    whole: bool
    """False where `**facts` hides some fields."""


def log_calls() -> Iterator[LogCall]:
    """Find every call of something named `log`, and within the log itself of `self`."""
    for module, name, node in calls("log", "self"):
        within = ("log", "self") if module.endswith("/logs.py") else ("log",)
        if name in within and node.args:
            words = [it.value for it in ast.walk(node.args[0]) if isinstance(it, ast.Constant)]
            yield LogCall(
                where=f"{module}:{node.lineno}",
                events=tuple(word for word in words if isinstance(word, str)),
                fields=frozenset(keyword.arg for keyword in node.keywords if keyword.arg),
                whole=all(keyword.arg for keyword in node.keywords),
            )


def wrong(reported: LogCall) -> Iterator[str]:
    if not reported.events:
        yield f"{reported.where}: the event's name is not a constant"
    for event in reported.events:
        fields = EVENTS[event].fields if event in EVENTS else {}
        needed = {key for key, field in fields.items() if not field.optional} if reported.whole else set()
        if event not in EVENTS:
            yield f"{reported.where}: {event} is not in the catalogue"
        elif reported.fields - fields.keys() or needed - reported.fields:
            yield f"{reported.where}: {event} has {sorted(fields)}, not {sorted(reported.fields)}"


def test_every_call_names_constant_events_of_the_catalogue_with_their_fields() -> None:
    found = list(log_calls())
    assert len(found) > 10
    assert [line for reported in found for line in wrong(reported)] == []


def test_every_event_of_the_catalogue_is_reported_somewhere() -> None:
    reported = {event for call in log_calls() for event in call.events}
    assert EVENTS.keys() == reported


@pytest.mark.parametrize("event", EVENTS)
def test_a_name_is_dotted(event: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", event)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_and_field_is_explained_in_a_sentence(event: str) -> None:
    meanings = [EVENTS[event].meaning, *(field.meaning for field in EVENTS[event].fields.values())]
    assert all(meaning.endswith(".") and meaning[0].isupper() for meaning in meanings)


def test_no_field_hides_one_that_every_line_has() -> None:
    assert not [name for name, event in EVENTS.items() if event.fields.keys() & {*HEAD, *BOUND}]


def test_the_schema_is_one_and_takes_each_line_by_exactly_one_event() -> None:
    schema = json.loads(event_pages.schema())
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(STARTED)
    assert not Draft202012Validator(schema).is_valid({**STARTED, "extra": 1})
    assert not Draft202012Validator(schema).is_valid({**STARTED, "event": "job.created"})


@pytest.mark.parametrize(
    "change",
    [{"level": "debug"}, {"at": "yesterday"}, {"decisions": "1"}, {"event": "x.y"}, {"run_id": None}],
)
def test_a_line_that_differs_from_the_catalogue_is_caught(change: dict[str, object]) -> None:
    check_line(json.dumps(STARTED))
    with pytest.raises(AssertionError):
        check_line(json.dumps({**STARTED, **change}))

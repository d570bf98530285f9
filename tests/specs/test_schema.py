from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.specs.load import load
from reconciler.specs.schema.convert import convert_or_explain
from reconciler.specs.schema.hints import MISPLACED_FIELD_HINTS
from reconciler.specs.schema.job_fields import JobFields, defaults_model
from reconciler.specs.schema.json_schema import schema
from reconciler.specs.schema.project_files import EnvironmentFields, SettingsFile
from tests.specs.make import NOW, document, documents, project
from tools.generate import reference
from tools.generate.reference import ENVIRONMENTS_EXAMPLE, EXAMPLE, SETTINGS_EXAMPLE

JOB = Draft202012Validator(schema("job"))
SETTINGS = Draft202012Validator(schema("reconciler"))

GOOD: dict[str, Any] = {
    "name": "one",
    "endpoint": "/v1/embeddings",
    "model": "mistral-embed",
    "input_files": ["data.jsonl"],
    "metadata": {"team": "search", "version": 1.1, "live": True, "n": 3},
    "timeout_hours": 24,
    "rerun": "2",
    "suspend": False,
    "retry": {"max_attempts": 2, "on": ["FAILED"]},
    "on_change": "finish",
    "on_remove": "keep",
    "checks": {"failed": 0.5, "truncated": 0},
}

WORDS = """
    a A one é /v1/ /v1/x /v2/x FAILED TIMEOUT_EXCEEDED replace finish cancel keep reconciler reconciler.x 24 true
    https://h http://h http://localhost:1/a
"""
lengths = [
    (32, "x"),
    (33, "x"),
    (65, "x"),
    (101, "x"),
    (512, "x"),
    (513, "x"),
    (32, "😀"),
    (33, "😀"),
    (512, "😀"),
]
words = st.sampled_from(
    [*WORDS.split(), *(times * character for times, character in lengths), "", " ", "\n", "one\n", "/v1/x y"]
)
numbers = st.sampled_from(
    [-1, 0, 1, 2, 10, 11, 24, 168, 169, 0.0, -0.0, 0.5, 1.0, 1.5, 2.0, 24.0, 24.5, 10**20]
)
scalars = st.none() | st.booleans() | words | numbers
near_values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(words, scalars, max_size=2)
requests = st.lists(
    near_values
    | st.fixed_dictionaries({}, optional={"custom_id": scalars, "body": near_values, "more": scalars}),
    max_size=3,
)
retries = st.fixed_dictionaries(
    {}, optional={"max_attempts": scalars, "on": st.lists(scalars, max_size=2) | scalars, "more": scalars}
)


@st.composite
def mutated(draw: st.DrawFn, good: dict[str, Any], fields: dict[str, st.SearchStrategy[Any]]) -> object:
    """A good document with a few fields taken away, replaced or added."""
    value = dict(good)
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([*good, *fields, "unknown"]))
        if draw(st.booleans()):
            value.pop(name, None)
        else:
            value[name] = draw(near_values | fields.get(name, near_values))
    return value


lists = st.lists(scalars, max_size=2)
excludes = st.lists(
    st.fixed_dictionaries({}, optional={"model": words, "timeout_hours": scalars, "x": words}) | scalars,
    max_size=2,
)
optional_fields = {
    "requests": requests,
    "agent_id": words,
    "retry": retries,
    "checks": st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("failed", "invalid", "truncated", "more"), scalars)
    ),
    "for_each": st.fixed_dictionaries({}, optional={"files": lists | scalars, "more": scalars}),
    "matrix": st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("endpoint", "model", "agent_id", "timeout_hours", "rerun"), lists | scalars),
            **dict.fromkeys(("suspend", "on_change", "on_remove", "more"), lists),
            "exclude": excludes | scalars,
        },
    ),
    "rerun": st.fixed_dictionaries(
        {},
        optional={
            "every": st.sampled_from(["day", "week", "month", "year"]) | scalars,
            "zone": st.sampled_from(["UTC", "Europe/Paris", "Paris", "utc", "Europe/", "UTC\n"]) | scalars,
            "start": st.sampled_from(["2026-11-23", "2026-13-99", "2026-1-1", "2026-11-23\n"]) | scalars,
            "more": scalars,
        },
    ),
    "name": st.sampled_from(["a-{stem}", "{stem}", "{model}-x", "{x}", "-a", "{", "a" * 101, "{stem}" * 101]),
}
jobs = mutated(GOOD, optional_fields) | near_values


@given(jobs)
@example({**GOOD, "timeout_hours": 24.0})
@example({**GOOD, "matrix": {}})
@example({**GOOD, "matrix": {"model": ["a"]}})
@example(
    {**{key: GOOD[key] for key in GOOD if key != "model"}, "matrix": {"model": ["a"], "agent_id": ["b"]}}
)
@example({**{key: GOOD[key] for key in GOOD if key != "model"}, "matrix": {"agent_id": ["b", "c"]}})
@example({**GOOD, "rerun": {"every": "week"}})
@example({**GOOD, "rerun": 2.0})
@example({**GOOD, "metadata": {"a": 1.0, "😀" * 32: "😀" * 512}})
def test_a_document_is_accepted_exactly_if_the_schema_holds(value: object) -> None:
    fields, wrong = convert_or_explain(document(value), JobFields, "job", MISPLACED_FIELD_HINTS)
    assert (fields is not None) == JOB.is_valid(value)
    assert fields is not None or wrong, "what is refused is refused for a reason"
    for problem in wrong:
        assert not any(
            word in problem.message for word in ("is not of type", "Expected", "does not match", "$")
        )


limits = st.dictionaries(
    st.sampled_from(["file_bytes", "in_flight", "spec_depth", "timeout_seconds", "x"]), numbers
)
guards = st.dictionaries(
    st.sampled_from(["max_cancels", "max_new_requests", "max_cancel_share", "x"]), scalars
)

environments = st.dictionaries(
    words | st.just("dev"),
    st.fixed_dictionaries(
        {},
        optional={
            "project": words,
            "guards": guards,
            "set": st.dictionaries(words, mutated({"model": "m"}, {"name": words}), max_size=2) | scalars,
            "more": scalars,
        },
    ),
    max_size=2,
)


@given(
    mutated(
        {"project": "demo", "specs": "specs"},
        {"ledger_remote": words, "limits": limits, "guards": guards, "environments": environments},
    )
)
@example({"environments": {}})
@example({"environments": {"dev": {"project": "a"}}})
@example({"environments": {"dev": {"project": "a", "set": {"*": {"model": "b"}}}}})
@example({"environments": {"dev": {"project": "a", "set": {"*": {"name": "b"}}}}})
@example({"project": "a", "environments": {"dev": {"project": "b"}}})
@example({"specs": "specs"})
def test_settings_are_accepted_exactly_if_the_schema_holds(value: object) -> None:
    fields, wrong = convert_or_explain(document(value), SettingsFile, "reconciler", {})
    assert (fields is not None) == SETTINGS.is_valid(value)
    assert fields is not None or wrong


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("SLACK_TOKEN", True),
        ("_x1", True),
        ("GIT_CONFIGURED", False),
        ("MISTRAL_API_KEY_FILE", True),
        ("MISTRAL_API_KEY", False),
        ("RECONCILER_TOKEN", False),
        ("GIT_CONFIG_VALUE_0", False),
        ("MISTRAL_API_KEY\n", False),
        ("A=B", False),
        ("", False),
    ],
)
def test_a_command_can_be_given_any_variable_but_those_that_stay_here(name: str, *, good: bool) -> None:
    assert SETTINGS.is_valid({"project": "demo", "on_end": {"environment": [name]}}) == good


@given(mutated({"model": "m", "retry": {"max_attempts": 2}}, {"rerun": optional_fields["rerun"]}))
def test_defaults_are_accepted_exactly_if_the_schema_holds(value: object) -> None:
    fields, _ = convert_or_explain(document(value), defaults_model(), "defaults", {})
    assert (fields is not None) == Draft202012Validator(schema("defaults")).is_valid(value)


def test_the_reference_shows_every_field_and_limit() -> None:
    page = reference.page()
    for model in (JobFields, SettingsFile, EnvironmentFields):
        assert all(f"| `{field.name}` |" in page for field in msgspec.structs.fields(model))


def test_the_examples_of_the_reference_load(tmp_path: Path) -> None:
    line = '{"custom_id": "1", "body": {"messages": [], "input": "", "document": {}}}\n'
    place = project(tmp_path, {"a.yaml": EXAMPLE, "data/questions.jsonl": line, "data.jsonl": ""})
    (spec,) = load(place, now=NOW).specs
    assert spec.name == "ticket-classes"
    for example_text in (SETTINGS_EXAMPLE, ENVIRONMENTS_EXAMPLE):
        (found,), _ = documents(example_text)
        assert convert_or_explain(found, SettingsFile, "reconciler", {})[0]

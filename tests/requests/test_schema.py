"""Answers are checked against the JSON Schema that their request asks for, within bounds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.requests.checks import Patterns
from reconciler.requests.schema import _CHECKS, MAX_DEPTH, UncheckedError, Validation

STREET = {"$defs": {"street": {"type": "string", "minLength": 1}}, "$ref": "#/$defs/street"}
TREE = {"type": "object", "properties": {"below": {"items": {"$ref": "#"}}}, "required": ["name"]}


@pytest.fixture
def patterns() -> Iterator[Patterns]:
    with Patterns() as made:
        yield made


BROKEN: list[tuple[dict[str, Any], Any, Any, str]] = [
    ({"type": "integer"}, 1.0, 1.5, "the answer: not integer"),
    ({"type": "integer"}, 2, True, "the answer: not integer"),
    ({"type": ["string", "null"]}, None, 0, "the answer: not string or null"),
    ({"enum": ["a", 1]}, 1.0, True, "the answer: not one of the allowed values"),
    ({"const": {"a": [1]}}, {"a": [1.0]}, {"a": [2]}, "the answer: not one of the allowed values"),
    ({"required": ["a"]}, {"a": None}, {"b": 1}, "the answer: a is missing"),
    ({"items": {"type": "string"}}, ["a"], ["a", 1], "[1]: not string"),
    ({"prefixItems": [{"type": "string"}]}, ["a", 1], [1], "[0]: not string"),
    ({"prefixItems": [{"type": "string"}], "items": False}, ["a"], ["a", 1], "[1]: not allowed"),
    ({"properties": {"a": True}, "additionalProperties": False}, {"a": 1}, {"b": 1}, "b: not allowed"),
    ({"additionalProperties": {"type": "null"}}, {"a": None}, {"a": 1}, "a: not null"),
    ({"properties": {"a": {"items": {"minimum": 1}}}}, {"a": [1]}, {"a": [0]}, "a[0]: less than 1"),
    ({"anyOf": [{"type": "null"}, {"maximum": 1}]}, 1, 2, "the answer: fits none of anyOf"),
    ({"oneOf": [{"type": "number"}, {"maximum": 1}]}, 2, 1, "the answer: fits 2 of oneOf"),
    ({"allOf": [{"minLength": 1}, {"maxLength": 2}]}, "é", "abc", "the answer: more characters than 2"),
    ({"maxItems": 1, "minItems": 1}, [1], [], "the answer: fewer items than 1"),
    ({"maxItems": 1}, [1], [1, 2], "the answer: more items than 1"),
    ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5, 1, "the answer: not below 1"),
    ({"exclusiveMinimum": 0}, 0.5, 0, "the answer: not above 0"),
    ({"maximum": 1}, 1, 1.5, "the answer: more than 1"),
    ({"uniqueItems": True}, [1, True], [1, 1.0], "the answer: two items are equal"),
    ({"pattern": "^a+$"}, "aa", "ab", "the answer: does not match ^a+$"),
    (STREET, "x", "", "the answer: fewer characters than 1"),
    (TREE, {"name": 1, "below": [{"name": 2}]}, {"name": 1, "below": [{}]}, "below[0]: name is missing"),
]


@pytest.mark.parametrize(("schema", "good", "bad", "problem"), BROKEN)
def test_an_answer_that_breaks_a_keyword_is_invalid_and_the_problem_names_its_place(
    schema: dict[str, Any], good: object, bad: object, problem: str, patterns: Patterns
) -> None:
    assert Validation(schema, patterns.search).problem(good) == ""
    assert Validation(schema, patterns.search).problem(bad) == problem
    jsonschema.Draft202012Validator(schema).validate(good)
    assert not jsonschema.Draft202012Validator(schema).is_valid(bad)


def without(keyword: str, schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a schema without a keyword, wherever it stands."""
    match schema:
        case dict():
            return {key: without(keyword, value) for key, value in schema.items() if key != keyword}
        case list():
            return [without(keyword, each) for each in schema]
        case _:
            return schema


@pytest.mark.parametrize("keyword", _CHECKS)
def test_an_answer_above_breaks_each_keyword_and_would_be_valid_without_it(keyword: str) -> None:
    assert any(
        jsonschema.Draft202012Validator(without(keyword, schema)).is_valid(bad)
        for schema, _, bad, _ in BROKEN
        if without(keyword, schema) != schema
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0, "", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
NAMES = st.lists(
    st.sampled_from(["string", "number", "integer", "object", "array", "null", "boolean"]),
    min_size=1,
    unique=True,
)
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries(
        {},
        optional={
            "type": NAMES | st.sampled_from(["string", "integer", "object", "array"]),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "minimum": st.integers(-1, 1),
            "maxLength": st.integers(0, 1),
            "required": st.lists(st.sampled_from("ab"), unique=True),
            "uniqueItems": st.booleans(),
            "$ref": st.sampled_from(["#/$defs/it", "#/$defs/other"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=6,
)


@given(schema=SCHEMAS, value=VALUES, it=st.sampled_from([True, {"type": "string"}, {"minimum": 1}]))
def test_the_verdict_is_that_of_another_validator(schema: Any, value: Any, it: Any) -> None:  # noqa: ANN401 - JSON
    whole = {"allOf": [schema], "$defs": {"it": it, "other": it}}
    valid = jsonschema.Draft202012Validator(whole).is_valid(value)
    assert (Validation(whole, lambda *_: None).problem(value) == "") == valid


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        ({"$ref": "https://example.org/schema.json"}, 1, "refers to https://example.org/schema.json"),
        ({"$ref": "other.json#/a"}, 1, "refers to other.json"),
        ({"$ref": "#/$defs/nowhere"}, 1, "argument of $ref"),
        ({"$ref": "#"}, 1, f"nested more than {MAX_DEPTH} deep"),
        ({"not": {"type": "string"}}, 1, "the keyword not"),
        ({"if": True}, 1, "the keyword if"),
        ({"type": "text"}, 1, "argument of type"),
        ({"minimum": "1"}, 1, "argument of minimum"),
        ({"items": {"anyOf": [{"type": "null"}] * 50 + [True]}}, [1] * 5000, "more than 100,000 steps"),
        ({"uniqueItems": True}, list(range(1000)), "more than 100,000 steps"),
        ({"items": []}, [1], "neither an object nor a boolean"),
        ({"pattern": "("}, "a", "the pattern ( takes too long or is invalid"),
    ],
)
def test_what_cannot_be_checked_is_unchecked_and_says_why(
    schema: dict[str, Any], value: object, why: str, patterns: Patterns
) -> None:
    with pytest.raises(UncheckedError) as unchecked:
        Validation(schema, patterns.search).problem(value)
    assert why in str(unchecked.value)


def test_a_pattern_that_never_ends_is_ended_once_and_others_go_on() -> None:
    began = time.monotonic()
    with Patterns(max_seconds=0.3) as patterns:
        assert patterns.search("^a$", "a") is True
        for _ in range(100):
            with pytest.raises(UncheckedError, match=r"the pattern \^\(a\+\)\+\$ takes too long"):
                Validation({"pattern": "^(a+)+$"}, patterns.search).problem("a" * 40 + "b")
        assert patterns.search("^a$", "b") is False
        assert patterns.search("\u2028", "\u2028\n") is True
    assert time.monotonic() - began < 10


@pytest.mark.skipif(os.name != "posix", reason="the interpreter is replaced by a shell script")
def test_the_process_that_searches_gets_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nenv >{tmp_path}/given\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("MISTRAL_API_KEY", "a-key-of-a-workspace")
    monkeypatch.setenv("OF_NO_LIST", "a-key-of-a-workspace")
    with Patterns() as patterns:
        assert patterns.search("^a+$", "aa") is True
    given = (tmp_path / "given").read_text()
    assert "PATH=" in given
    assert "a-key-of-a-workspace" not in given
    assert "OF_NO_LIST" not in given


@pytest.mark.thorough
@pytest.mark.skipif(os.name != "posix", reason="ps shows the process")
def test_a_search_does_not_outlive_a_killed_run(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho $$ >{tmp_path}/pid\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    search = (
        "import sys; from reconciler.requests.checks import Patterns; "
        "sys.executable = sys.argv[1]; Patterns(3).search('^(a+)+$', 'a' * 40 + 'b')"
    )
    run = subprocess.Popen([sys.executable, "-c", search, str(python)])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        time.sleep(0.05)
    time.sleep(1)  # the search has begun
    run.kill()
    run.wait()
    pid = int((tmp_path / "pid").read_text())
    assert lives(pid)
    ends = time.monotonic() + 20
    while lives(pid) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not lives(pid)


def lives(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] not in ("", "Z")

"""Instances of JSON Schemas: valid, small, and always the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.sandbox.instances import instance_text

TICKET = {
    "type": "object",
    "properties": {
        "queue": {"enum": ["delivery", "refund"]},
        "urgent": {"type": "boolean"},
        "note": {"type": "string"},
    },
    "required": ["queue", "urgent"],
    "additionalProperties": False,
}
PYDANTIC = {
    "$defs": {
        "Colour": {"enum": ["red", "blue"], "type": "string"},
        "Part": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "colour": {"$ref": "#/$defs/Colour"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
                "below": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]},
            },
            "required": ["id", "colour", "parts", "below"],
        },
    },
    "type": "object",
    "properties": {
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}, "minItems": 2},
        "kind": {"const": "order"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "paid": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    },
    "required": ["parts", "kind", "price", "paid"],
}


def valid(schema: object, value: object) -> bool:
    assert isinstance(schema, dict | bool)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).is_valid(value)


def instance(schema: object) -> Any:  # noqa: ANN401 - JSON
    return json.loads(instance_text(schema))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (TICKET, {"queue": "delivery", "urgent": False}),
        ({"type": "object"}, {}),
        ({"type": "string"}, "sandbox"),
        ({}, "sandbox"),
        ({"required": ["a"], "properties": {"a": {"minimum": 1}}}, {"a": 1}),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": ["null", "string"]}, None),
        ({"const": {"a": [1]}}, {"a": [1]}),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "minLength": 9}, "sandboxxx"),
        ({"type": "string", "maxLength": 3}, "san"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "multipleOf": 5, "exclusiveMinimum": 5}, 10),
        ({"type": "number", "maximum": -0.5}, -1),
        ({"type": "number", "minimum": 0.25, "maximum": 0.5}, 0.25),
        ({"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": 1}}}], "type": "object"}, {"a": 1}),
        ({"anyOf": [False, {"const": 2}]}, 2),
        ({"$defs": {"n/a": {"const": 1}}, "$ref": "#/$defs/n~1a"}, 1),
        ({"prefixItems": [{"const": 1}, {"const": 2}], "minItems": 3, "items": {"const": 3}}, [1, 2, 3]),
    ],
)
def test_an_instance_is_small_and_valid(schema: object, expected: object) -> None:
    assert instance(schema) == expected
    assert valid(schema, expected)


def test_the_schema_of_a_nested_and_recursive_model_is_met() -> None:
    assert valid(PYDANTIC, instance(PYDANTIC))


def test_a_keyword_that_is_not_understood_is_ignored() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^\\d$"}},
        "required": ["a"],
    }
    assert instance(schema) == {"a": "sandbox"}


TWICE = {"type": "object", "required": ["x", "y"]}


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"$ref": "#"},
        {"enum": []},
        {"type": "song"},
        {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9}},
        {"type": "integer", "minimum": 10**300, "multipleOf": 1e-300},
        {
            "$defs": {
                f"n{at}": {**TWICE, "properties": {name: {"$ref": f"#/$defs/n{at + 1}"} for name in "xy"}}
                for at in range(60)
            },
            "$ref": "#/$defs/n0",
        },
    ],
)
@pytest.mark.timeout(10)
def test_a_schema_without_a_small_instance_gives_an_empty_object(schema: object) -> None:
    assert instance_text(schema) == "{}"


texts = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={"minLength": st.integers(0, 9), "maxLength": st.integers(9, 20)},
)
numbers = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-9, 9),
            "maximum": st.integers(20, 30),
            "multipleOf": st.integers(1, 5),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("number"), "exclusiveMinimum": st.floats(-2, 2), "exclusiveMaximum": st.floats(3, 4)}
    ),
)
scalars = st.one_of(
    texts,
    numbers,
    st.sampled_from(["date", "date-time", "email", "ipv4", "time", "uri", "uuid"]).map(
        lambda name: {"type": "string", "format": name}
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {}]),
    st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=3), min_size=1, max_size=3).map(
        lambda words: {"enum": words}
    ),
    st.integers().map(lambda number: {"const": number}),
    st.sampled_from(["leaf", "tree"]).map(lambda name: {"$ref": f"#/$defs/{name}"}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def made(properties: dict[str, Any], required: int, closed: bool) -> dict[str, Any]:
        needed = [*properties][:required]
        more = {"additionalProperties": False} if closed else {}
        return {"type": "object", "properties": properties, "required": needed, **more}

    fields = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    return st.builds(made, fields, st.integers(0, 3), st.booleans())


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3)
    )


schemas = st.recursive(
    scalars,
    lambda inner: st.one_of(
        objects(inner),
        arrays(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        inner.map(lambda part: {"allOf": [part]}),
    ),
    max_leaves=8,
)
DEFS = {
    "leaf": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "tree": {
        "type": "object",
        "properties": {
            "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
            "parent": {"anyOf": [{"$ref": "#/$defs/tree"}, {"$ref": "#/$defs/leaf"}]},
        },
        "required": ["children", "parent"],
    },
}


@given(schemas)
def test_an_instance_validates(schema: dict[str, Any]) -> None:
    whole = {**schema, "$defs": DEFS}
    assert valid(whole, instance(whole))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["string", "object", "#", "#/x", "(", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "$ref", "anyOf", "allOf", "enum", "items", "properties", "required", "pattern"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(json_values)
def test_what_is_no_schema_never_raises(anything: object) -> None:
    assert isinstance(json.loads(instance_text(anything)), object)

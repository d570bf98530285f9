"""Merge two JSON Schemas into one that both of them accept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final


class NoInstanceError(Exception):
    """A schema has no instance, or none that is small enough."""


def merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema for the values that both schemas accept.

    Raises:
        NoInstanceError: there is none.
    """
    shared = {name: _joined(name, one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _joined(name: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - JSON
    join = _JOIN.get(name)
    return other if join is None else join(one, other)


def _both(one: object, other: object) -> object:
    return one if one == other else {"allOf": [one, other]}


def _same(one: object, other: object) -> object:
    if one != other:
        raise NoInstanceError
    return one


def _by_name(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, **other, **{name: _both(one[name], other[name]) for name in one.keys() & other.keys()}}


def _common(one: list[Any], other: list[Any]) -> list[Any]:
    return [it for it in one if it in other]


def _types(one: str | list[str], other: str | list[str]) -> list[str]:
    here, there = ([it] if isinstance(it, str) else it for it in (one, other))
    common = [it for it in here if it in there or (it == "integer" and "number" in there)]
    common += [it for it in there if it == "integer" and "number" in here and it not in common]
    return common


def _pairs(one: list[Any], other: list[Any]) -> list[Any]:
    return [{"allOf": [here, there]} for here in one for there in other]


_JOIN: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), _by_name),
    **dict.fromkeys(("items", "additionalProperties", "contains"), _both),
    **dict.fromkeys(("anyOf", "oneOf"), _pairs),
    "const": _same,
    "enum": _common,
    "required": lambda one, other: [*dict.fromkeys([*one, *other])],
    "type": _types,
    "uniqueItems": lambda one, other: one or other,
}
"""How the values of a keyword are joined; of other keywords the second value is used."""

"""Validate a value against a JSON Schema (2020-12), within bounds that are counts: steps and depth.

The keywords are those of structured output. A schema with any other keyword that constrains, with a reference to
another document, or beyond the bounds leaves the value unchecked, and the reason says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final, TypeAlias

from reconciler.text.sanitize import clean

MAX_STEPS: Final = 100_000
"""Comparisons of one value with one keyword."""
MAX_DEPTH: Final = 100
"""Levels of schemas within schemas, references included."""
MAX_SHOWN: Final = 60
"""Characters of a name or pattern in a message."""
_ANNOTATIONS: Final = frozenset(
    (
        *("$anchor", "$comment", "$defs", "$id", "$schema", "contentEncoding", "contentMediaType", "default"),
        *("definitions", "deprecated", "description", "examples", "format", "readOnly", "strict", "title"),
        "writeOnly",
    )
)
"""Keywords that constrain nothing."""

Json: TypeAlias = Any
Search: TypeAlias = Callable[[str, str], bool | None]
"""Returns whether a pattern is found in a text; None if that took too long, or the pattern is invalid."""


class UncheckedError(Exception):
    """A value cannot be checked."""


class Validation:
    """The check of one value against the schema `root`; `search` finds patterns."""

    def __init__(self, root: Json, search: Search) -> None:
        self.root = root
        self.search = search
        self._steps = MAX_STEPS

    def problem(self, value: Json, schema: Json = None, path: str = "", depth: int = 0) -> str:
        """Return the first problem of a value, "" if it is valid.

        `schema` is a part of the whole one, `path` that of the value, and `depth` counts the schemas above this one.
        Raises `UncheckedError` if it cannot be checked.
        """
        schema = self.root if schema is None else schema
        self._step()
        if depth > MAX_DEPTH:
            raise UncheckedError(f"the schema is nested more than {MAX_DEPTH} deep")
        if isinstance(schema, bool):
            return "" if schema else f"{path or 'the answer'}: not allowed"
        if not isinstance(schema, dict):
            raise UncheckedError("a schema that is neither an object nor a boolean")
        for keyword, argument in schema.items():
            if keyword in _ANNOTATIONS:
                continue
            if keyword not in _CHECKS:
                raise UncheckedError(f"the keyword {_shown(keyword)}")
            self._step()
            try:
                found = next(_CHECKS[keyword](self, value, argument, schema, path, depth + 1), "")
            except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
                raise UncheckedError(f"the argument of {_shown(keyword)}") from None
            if found:
                return found if ": " in found else f"{path or 'the answer'}: {found}"
        return ""

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise UncheckedError(f"more than {MAX_STEPS:,} steps")

    def same(self, one: Json, two: Json) -> bool:
        """Return whether two values are equal as JSON: 1 is 1.0, and true is not 1."""
        self._step()
        if isinstance(one, bool) or isinstance(two, bool):
            return one is two
        if isinstance(one, list) and isinstance(two, list):
            return len(one) == len(two) and all(map(self.same, one, two))
        if isinstance(one, dict) and isinstance(two, dict):
            return one.keys() == two.keys() and all(self.same(each, two[key]) for key, each in one.items())
        return bool(one == two)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Json], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type(_: Validation, value: Json, wanted: Json, *__: Json) -> Iterator[str]:
    names = wanted if isinstance(wanted, list) else [wanted]
    if not any(_TYPES[name](value) for name in names):
        yield f"not {' or '.join(names)}"


def _enum(check: Validation, value: Json, allowed: Json, *_: Json) -> Iterator[str]:
    if not any(check.same(value, each) for each in allowed):
        yield "not one of the allowed values"


def _const(check: Validation, value: Json, allowed: Json, *_: Json) -> Iterator[str]:
    return _enum(check, value, [allowed])


def _required(_: Validation, value: Json, names: Json, *__: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{_shown(name)} is missing" for name in names if name not in value)


def _properties(
    check: Validation, value: Json, schemas: Json, _: Json, path: str, depth: int
) -> Iterator[str]:
    for name, schema in schemas.items() if isinstance(value, dict) else ():
        if name in value and (found := check.problem(value[name], schema, _below(path, name), depth)):
            yield found


def _others(check: Validation, value: Json, schema: Json, *where: Json) -> Iterator[str]:
    holder, path, depth = where
    for name in value if isinstance(value, dict) else ():
        if name not in holder.get("properties", {}):
            found = check.problem(value[name], schema, _below(path, name), depth)
            yield from [found] if found else []


def _items(check: Validation, value: Json, schema: Json, *where: Json) -> Iterator[str]:
    holder, path, depth = where
    first = len(holder.get("prefixItems", ()))
    for at, each in enumerate(value[first:], first) if isinstance(value, list) else ():
        if found := check.problem(each, schema, f"{path}[{at}]", depth):
            yield found


def _prefix(check: Validation, value: Json, schemas: Json, _: Json, path: str, depth: int) -> Iterator[str]:
    for at, (each, schema) in enumerate(zip(value, schemas, strict=False) if isinstance(value, list) else ()):
        if found := check.problem(each, schema, f"{path}[{at}]", depth):
            yield found


def _all_of(check: Validation, value: Json, schemas: Json, _: Json, path: str, depth: int) -> Iterator[str]:
    return filter(None, (check.problem(value, schema, path, depth) for schema in schemas))


def _any_of(check: Validation, value: Json, schemas: Json, _: Json, path: str, depth: int) -> Iterator[str]:
    if all(check.problem(value, schema, path, depth) for schema in schemas):
        yield "fits none of anyOf"


def _one_of(check: Validation, value: Json, schemas: Json, _: Json, path: str, depth: int) -> Iterator[str]:
    fitting = sum(not check.problem(value, schema, path, depth) for schema in schemas)
    if fitting != 1:
        yield f"fits {fitting} of oneOf"


def _ref(check: Validation, value: Json, target: Json, _: Json, path: str, depth: int) -> Iterator[str]:
    if target != "#" and not target.startswith("#/"):
        raise UncheckedError(f"it refers to {_shown(target)}, which is not inside the schema")
    schema = check.root
    for part in target.split("/")[1:]:
        schema = schema[part.replace("~1", "/").replace("~0", "~")]
    return _all_of(check, value, [schema], None, path, depth)


def _pattern(check: Validation, value: Json, pattern: Json, *_: Json) -> Iterator[str]:
    found = check.search(pattern, value) if isinstance(value, str) else True
    if found is None:
        raise UncheckedError(f"the pattern {_shown(pattern)} takes too long or is invalid")
    if not found:
        yield f"does not match {_shown(pattern)}"


def _unique(check: Validation, value: Json, wanted: Json, *_: Json) -> Iterator[str]:
    values = value if wanted and isinstance(value, list) else []
    if any(check.same(one, two) for at, one in enumerate(values) for two in values[:at]):
        yield "two items are equal"


def _limit(kind: str, fits: Callable[[Json, Json], bool], words: str) -> Callable[..., Iterator[str]]:
    """Return the check of a keyword that compares a number, or the length of another value, with a limit."""

    def check(_: Validation, value: Json, limit: Json, *__: Json) -> Iterator[str]:
        if _TYPES[kind](value) and not fits(value if kind == "number" else len(value), limit + 0):
            yield f"{words} {limit}"

    return check


# Arguments: the validation, the value, the keyword's argument, the schema that has it, the path and the depth.
_CHECKS: Final[Mapping[str, Callable[..., Iterator[str]]]] = {
    "$ref": _ref,
    "additionalProperties": _others,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": _const,
    "enum": _enum,
    "exclusiveMaximum": _limit("number", lt, "not below"),
    "exclusiveMinimum": _limit("number", gt, "not above"),
    "items": _items,
    "maxItems": _limit("array", le, "more items than"),
    "maxLength": _limit("string", le, "more characters than"),
    "maximum": _limit("number", le, "more than"),
    "minItems": _limit("array", ge, "fewer items than"),
    "minLength": _limit("string", ge, "fewer characters than"),
    "minimum": _limit("number", ge, "less than"),
    "oneOf": _one_of,
    "pattern": _pattern,
    "prefixItems": _prefix,
    "properties": _properties,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique,
}


def _below(path: str, name: str) -> str:
    return f"{path}.{_shown(name)}" if path else _shown(name)


def _shown(text: object) -> str:
    return clean(str(text))[:MAX_SHOWN]

"""Every mistake of a refused document, in plain words and with its position.

`jsonschema` finds all violations of the schema but describes them in the terms of schemas; this module describes
each keyword for the author of the YAML. It runs only for a refused document, and only then imports `jsonschema`
(the import takes longer than reading a thousand good specs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from reconciler.specs.schema.json_schema import Schema
from reconciler.specs.yaml.tree import dotted
from reconciler.text.suggest import KINDS, did_you_mean, either, kind, some

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from reconciler.errors import Problem
    from reconciler.specs.yaml.tree import Document, Path

MessageAndHint = tuple[str, str]
"""The message and the hint of a problem."""

_REMOVE: Final = "give it a value, or remove the line"


@dataclass(frozen=True, slots=True)
class _Violation:
    """One violated keyword of the schema, converted from the types of jsonschema."""

    path: Path
    keyword: str
    wanted: Any
    """The keyword's own value."""
    value: Any
    """The value in the document."""
    here: Schema
    """The schema that holds the keyword."""
    of_key: bool
    branches: tuple[_Violation, ...]
    """For `anyOf`: the violation of each branch."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One mistake, and its position in the document."""

    path: Path
    problem: MessageAndHint
    at_key: bool = False
    """True if the key is wrong, not its value."""
    absence: bool = False
    """True if something is missing."""


def explain(document: Document, schema: Schema, misplaced: Mapping[str, str]) -> list[Problem]:
    """Return every mistake that `schema` finds in a document.

    Args:
        document: the refused document.
        schema: the schema of the whole document.
        misplaced: hints for fields that belong elsewhere.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see the module's docstring

    known = {(problem.line, problem.column) for problem in document.problems}
    found: dict[Problem, None] = {}
    for error in Draft202012Validator(schema).iter_errors(document.value):
        for mistake in _mistakes(_violation(error), schema, misplaced):
            if mistake.absence and document.incomplete:
                continue
            problem = _placed(document, mistake)
            if (problem.line, problem.column) not in known:
                found[problem] = None
    return list(found)


def _violation(error: ValidationError) -> _Violation:
    return _Violation(
        path=tuple(error.absolute_path),
        keyword=str(error.validator),
        wanted=error.validator_value,
        value=error.instance,
        here=cast("Schema", error.schema),
        of_key="propertyNames" in error.absolute_schema_path,
        branches=tuple(map(_violation, error.context or ())),
    )


def _placed(document: Document, mistake: _Mistake) -> Problem:
    place = document.key_place(mistake.path) if mistake.at_key else document.place(mistake.path)
    name, (message, hint) = dotted(mistake.path), mistake.problem
    prompts = mistake.path[:1] == ("requests",)
    if mistake.path == ("requests",) and hint.startswith("write a list"):
        hint = "write a list of requests: `- {custom_id: …, body: {…}}`"  # never repeat the text: it may be a prompt
    return document.source_of(mistake.path).problem(
        place, f"{name}: {message}" if name else message, hint=hint, show=not prompts
    )


def _mistakes(found: _Violation, schema: Schema, misplaced: Mapping[str, str]) -> Iterator[_Mistake]:  # noqa: C901 - one branch a keyword
    if found.of_key:
        yield _Mistake((*found.path, found.value), _describe(found), at_key=True)
    elif found.keyword == "additionalProperties":
        for key in found.value:
            if key not in found.here["properties"]:
                problem = _unknown(key, found, schema, misplaced)
                yield _Mistake((*found.path, key), problem, at_key=True)
    elif found.keyword == "required":
        for name in found.wanted:
            if name not in found.value:
                yield _Mistake(found.path, _missing(name, found.here), absence=True)
    elif found.keyword == "oneOf":
        if isinstance(found.value, dict):
            yield _not_one(found, [_field_of(branch) for branch in found.wanted], schema)
    elif found.keyword == "anyOf" and isinstance(found.value, dict | list):
        yield from _inside(found, schema, misplaced)
    else:
        yield _Mistake(found.path, _describe(found))


def _inside(found: _Violation, schema: Schema, misplaced: Mapping[str, str]) -> Iterator[_Mistake]:
    """Yield the mistakes inside a mapping or list if a branch permits one; otherwise one mistake for the value."""
    inside = [inner for inner in found.branches if inner.keyword != "type" or inner.path != found.path]
    for inner in inside:
        yield from _mistakes(inner, schema, misplaced)
    if not inside:
        yield _Mistake(found.path, _describe(found))


def _field_of(branch: Schema) -> Path:
    """Return the field that a branch of a `oneOf` requires; see `json_schema`."""
    outer = branch["required"][0]
    return (outer, *branch.get("properties", {}).get(outer, {}).get("required", ()))


def _not_one(found: _Violation, fields: list[Path], schema: Schema) -> _Mistake:
    names = [str(field[0]) for field in fields if len(field) == 1]
    order = list(found.value)
    there = sorted(
        (field for field in fields if _holds(found.value, field)), key=lambda field: order.index(field[0])
    )
    if there:
        problem = f"cannot be combined with `{dotted(there[0])}`", f"keep one of them: {either(names)}"
        return _Mistake((*found.path, *there[-1]), problem, at_key=True)
    if len(names) == 1:
        return _Mistake(found.path, _missing(names[0], schema), absence=True)
    missing = either([f"`{name}`" for name in names])
    return _Mistake(found.path, (f"{missing} is missing", "a spec needs exactly one of them"), absence=True)


def _holds(value: Any, field: Path) -> bool:  # noqa: ANN401 - JSON
    for step in field:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _unknown(key: str, found: _Violation, schema: Schema, misplaced: Mapping[str, str]) -> MessageAndHint:
    message, top = "unknown field", not found.path
    if top and key in misplaced:
        return message, misplaced[key]
    if not top and key in schema["properties"]:
        return message, "it belongs at the top level: check the indentation"
    for name, field in schema["properties"].items():
        if top and key in _inner(field, schema).get("properties", ()):
            return message, f"it belongs under `{name}`"
    names = list(found.here["properties"])
    return message, did_you_mean(key, names, f"the fields here are {some(names, 20)}")


def _inner(field: Schema, schema: Schema) -> Schema:
    reference = field.get("$ref") or field.get("items", {}).get("$ref", "")
    found: Schema = schema["$defs"].get(reference.rpartition("/")[2], {})
    return found


def _missing(name: str, here: Schema) -> MessageAndHint:
    examples = here["properties"][name].get("examples")
    return f"`{name}` is missing", f"add `{name}: {examples[0]}`" if examples else f"add `{name}`"


def _describe(found: _Violation) -> MessageAndHint:
    if found.keyword == "anyOf":
        # Of several permitted types, describe the one that the value has.
        fitting = next((inner for inner in found.branches if inner.keyword != "type"), None)
        return _describe(fitting) if fitting else _type(found.value, _types(found.wanted))
    describe = _DESCRIBERS.get(found.keyword)
    return describe(found) if describe else ("not permitted here", "")


def _types(branches: list[Schema]) -> list[str]:
    # Do not suggest a mapping among several types: most authors meant a plain value.
    return [branch["type"] for branch in branches if "type" in branch]


def _type(value: object, wanted: list[str]) -> MessageAndHint:
    # Every whole number is a number: do not list both.
    names = [
        KINDS[name] for name in wanted if name != "null" and not (name == "integer" and "number" in wanted)
    ]
    if value is None:
        return "empty", _REMOVE
    return f"must be {either(names)}, not {kind(value)}", _type_hint(value, wanted)


def _type_hint(value: object, wanted: list[str]) -> str:
    match value:
        case str() if wanted == ["boolean"]:
            return "write `true` or `false`"
        case str() if wanted == ["array"]:
            return f"write a list: `[{value}]`"
        case str() if re.fullmatch(r"[-+]?[0-9.]+", value):
            return "remove the quotes"
        case bool() | int() | float() if "string" in wanted:
            return "put it in quotes"
        case _ if wanted == ["object"]:
            return "write fields, as `name: value`"
        case _:
            return ""


def _enum(value: object, wanted: list[str]) -> MessageAndHint:
    choices = either([f"`{name}`" for name in wanted])
    return f"must be {choices}", did_you_mean(value, wanted, "") if isinstance(value, str) else ""


def _range(here: Schema) -> MessageAndHint:
    low, high = here.get("minimum"), here.get("maximum")
    if "exclusiveMinimum" in here:
        return f"must be more than {here['exclusiveMinimum']:,}" + (f", at most {high:,}" if high else ""), ""
    if high is None:
        return f"must be at least {low:,}", ""
    return f"must be {low:,} to {high:,}", ""


_DESCRIBERS: Final[dict[str, Callable[[_Violation], MessageAndHint]]] = {
    "type": lambda found: _type(
        found.value, found.wanted if isinstance(found.wanted, list) else [found.wanted]
    ),
    "enum": lambda found: _enum(found.value, found.wanted),
    "pattern": lambda found: (found.here["errorMessage"], found.here["x-hint"]),
    "minLength": lambda found: ("an empty name" if found.of_key else "empty", _REMOVE),
    "maxLength": lambda found: (f"{len(found.value):,} characters, at most {found.wanted}", "shorten it"),
    "minItems": lambda _: ("an empty list", _REMOVE),
    "minimum": lambda found: _range(found.here),
    "maximum": lambda found: _range(found.here),
    "exclusiveMinimum": lambda found: _range(found.here),
}

"""Every mistake of a refused document, in our own words and at its place.

`jsonschema` knows all violations of the schema and says them in the language of schemas; each keyword is told
here for the person who wrote the YAML. Runs only for a document that was refused, and only then is `jsonschema`
imported (it takes longer than reading a thousand good specs).
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

Told = tuple[str, str]
"""What is wrong, and the next step."""

_REMOVE: Final = "give it a value, or remove the line"


@dataclass(frozen=True, slots=True)
class _Violation:
    """One keyword of the schema that does not hold: what jsonschema says, folded out of its own types."""

    path: Path
    keyword: str
    wanted: Any
    """The keyword's own value."""
    value: Any
    """What was written instead."""
    here: Schema
    """The schema that holds the keyword."""
    of_key: bool
    branches: tuple[_Violation, ...]
    """For `anyOf`: why each branch refused."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One thing to tell, and where in the document it stands."""

    path: Path
    told: Told
    at_key: bool = False
    """True where the key is wrong, not its value."""
    absence: bool = False
    """True where something is missing."""


def explain(document: Document, schema: Schema, misplaced: Mapping[str, str]) -> list[Problem]:
    """Return every mistake that `schema` finds in a document.

    Args:
        document: what was refused.
        schema: the schema of the whole document.
        misplaced: hints for names that do not belong here, though elsewhere.
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
    name, (message, hint) = dotted(mistake.path), mistake.told
    prompts = mistake.path[:1] == ("requests",)
    if mistake.path == ("requests",) and hint.startswith("write a list"):
        hint = "write a list of requests: `- {custom_id: …, body: {…}}`"  # never the text that stands there
    return document.source_of(mistake.path).problem(
        place, f"{name}: {message}" if name else message, hint=hint, show=not prompts
    )


def _mistakes(found: _Violation, schema: Schema, misplaced: Mapping[str, str]) -> Iterator[_Mistake]:  # noqa: C901 - one branch a keyword
    if found.of_key:
        yield _Mistake((*found.path, found.value), _tell(found), at_key=True)
    elif found.keyword == "additionalProperties":
        for key in found.value:
            if key not in found.here["properties"]:
                told = _unknown(key, found, schema, misplaced)
                yield _Mistake((*found.path, key), told, at_key=True)
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
        yield _Mistake(found.path, _tell(found))


def _inside(found: _Violation, schema: Schema, misplaced: Mapping[str, str]) -> Iterator[_Mistake]:
    """Yield what is wrong within a mapping or list, by the type that permits one; else that none is permitted."""
    inside = [inner for inner in found.branches if inner.keyword != "type" or inner.path != found.path]
    for inner in inside:
        yield from _mistakes(inner, schema, misplaced)
    if not inside:
        yield _Mistake(found.path, _tell(found))


def _field_of(branch: Schema) -> Path:
    """Return the field that a branch of a `oneOf` wants; see `schema`."""
    outer = branch["required"][0]
    return (outer, *branch.get("properties", {}).get(outer, {}).get("required", ()))


def _not_one(found: _Violation, fields: list[Path], schema: Schema) -> _Mistake:
    names = [str(field[0]) for field in fields if len(field) == 1]
    order = list(found.value)
    there = sorted(
        (field for field in fields if _holds(found.value, field)), key=lambda field: order.index(field[0])
    )
    if there:
        told = f"stands here beside `{dotted(there[0])}`", f"keep one of them: {either(names)}"
        return _Mistake((*found.path, *there[-1]), told, at_key=True)
    if len(names) == 1:
        return _Mistake(found.path, _missing(names[0], schema), absence=True)
    missing = either([f"`{name}`" for name in names])
    return _Mistake(found.path, (f"{missing} is missing", "a spec holds exactly one of them"), absence=True)


def _holds(value: Any, field: Path) -> bool:  # noqa: ANN401 - JSON
    for step in field:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _unknown(key: str, found: _Violation, schema: Schema, misplaced: Mapping[str, str]) -> Told:
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


def _missing(name: str, here: Schema) -> Told:
    examples = here["properties"][name].get("examples")
    return f"`{name}` is missing", f"add `{name}: {examples[0]}`" if examples else f"add `{name}`"


def _tell(found: _Violation) -> Told:
    if found.keyword == "anyOf":
        # Of several permitted types, tell about the one that was written.
        fitting = next((inner for inner in found.branches if inner.keyword != "type"), None)
        return _tell(fitting) if fitting else _type(found.value, _types(found.wanted))
    tell = _TELL.get(found.keyword)
    return tell(found) if tell else ("not permitted here", "")


def _types(branches: list[Schema]) -> list[str]:
    # A mapping among several types is for the reader who looks for it: others wrote a value that is wrong.
    return [branch["type"] for branch in branches if "type" in branch]


def _type(value: object, wanted: list[str]) -> Told:
    # Every whole number is a number: saying both would only confuse.
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
            return "leave the quotes out"
        case bool() | int() | float() if "string" in wanted:
            return "put it in quotes"
        case _ if wanted == ["object"]:
            return "write fields, as `name: value`"
        case _:
            return ""


def _enum(value: object, wanted: list[str]) -> Told:
    choices = either([f"`{name}`" for name in wanted])
    return f"must be {choices}", did_you_mean(value, wanted, "") if isinstance(value, str) else ""


def _range(here: Schema) -> Told:
    low, high = here.get("minimum"), here.get("maximum")
    if "exclusiveMinimum" in here:
        return f"must be more than {here['exclusiveMinimum']:,}" + (f", at most {high:,}" if high else ""), ""
    if high is None:
        return f"must be at least {low:,}", ""
    return f"must be {low:,} to {high:,}", ""


_TELL: Final[dict[str, Callable[[_Violation], Told]]] = {
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

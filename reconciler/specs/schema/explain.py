"""Every mistake of a refused document, in plain words and with its position.

`jsonschema` finds all violations of the schema but describes them in the terms of schemas; this module describes
each keyword for the author of the YAML. It runs only for a refused document, and only then imports `jsonschema`
(the import takes longer than reading a thousand good specs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from reconciler.specs.schema import json_schema
from reconciler.specs.schema.hints import hint_for
from reconciler.specs.schema.json_schema import Schema
from reconciler.specs.yaml.tree import SHARED_FIELDS, dotted
from reconciler.text.suggest import KINDS, did_you_mean, either, kind, some

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from reconciler.errors import Problem
    from reconciler.specs.yaml.tree import Document, Path

MessageAndHint = tuple[str, str]
"""The message and the hint of a problem."""

_SHARED: Final = frozenset({"anchors", "common", "defaults", "shared", "templates"})
"""Fields that hold anchors for merge keys in other tools."""
_REMOVE: Final = "give it a value, or remove the line"


class _Mistake(NamedTuple):
    """One mistake, and its position in the document."""

    path: Path
    problem: MessageAndHint
    at_key: bool = False
    """True if the key is wrong, not its value."""
    absence: bool = False
    """True if something is missing."""


def explain(document: Document, name: str, misplaced: Mapping[str, str]) -> list[Problem]:
    """Return every mistake that the schema `name` finds in a refused document. `misplaced` has hints: see `convert`."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see the module's docstring

    schema = json_schema.schema(name)
    known = {(problem.line, problem.column) for problem in document.problems}
    found: dict[Problem, None] = {}
    for error in Draft202012Validator(schema).iter_errors(document.value):
        for mistake in _mistakes(error, schema, misplaced):
            if mistake.absence and document.incomplete:
                continue
            problem = _placed(document, mistake)
            if (problem.line, problem.column) not in known:
                found[problem] = None
    return list(found)


def _placed(document: Document, mistake: _Mistake) -> Problem:
    name, (message, hint) = dotted(mistake.path), mistake.problem
    if not mistake.at_key and not mistake.absence:
        hint = hint_for(mistake.path, document.at(mistake.path)) or hint
    if mistake.path[-1:] == ("requests",) and hint.startswith("write a list"):
        hint = "write a list of requests: `- {custom_id: …, body: {…}}`"  # never repeat the text: it may be a prompt
    message = f"{name}: {message}" if name else message
    return document.problem(mistake.path, message, hint, at_key=mistake.at_key)


def _mistakes(  # noqa: C901 - one branch a keyword
    error: ValidationError, schema: Schema, misplaced: Mapping[str, str]
) -> Iterator[_Mistake]:
    path, here = tuple(error.absolute_path), cast("Schema", error.schema)
    value, wanted = cast("Any", error.instance), cast("Any", error.validator_value)
    if _of_key(error):
        yield _Mistake((*path, value), _describe(error), at_key=True)
    elif error.validator == "additionalProperties":
        for key in value:
            if key not in here["properties"]:
                yield _Mistake((*path, key), _unknown(key, path, here, schema, misplaced), at_key=True)
    elif error.validator == "required":
        for name in wanted:
            if name not in value:
                yield _Mistake(path, _missing(name, here), absence=True)
    elif error.validator == "oneOf":
        if isinstance(value, dict):
            yield _not_one(path, value, [_field_of(branch) for branch in wanted], schema)
    elif inside := _inside(error):
        for inner in inside:
            yield from _mistakes(inner, schema, misplaced)
    else:
        yield _Mistake(path, _describe(error))


def _inside(error: ValidationError) -> list[ValidationError]:
    """Return the mistakes inside a mapping or list that a branch of `anyOf` permits."""
    branches = error.context or () if isinstance(error.instance, dict | list) else ()
    # A list in the place of a mapping breaks the rules of both, and only the type is its mistake.
    other = ("type",) if isinstance(error.instance, dict) else ("type", "oneOf")
    return [inner for inner in branches if inner.validator not in other or inner.path]


def _of_key(error: ValidationError) -> bool:
    return "propertyNames" in error.absolute_schema_path


def _field_of(branch: Schema) -> Path:
    """Return the field that a branch of a `oneOf` requires; see `json_schema`."""
    outer = branch["required"][0]
    return (outer, *branch.get("properties", {}).get(outer, {}).get("required", ()))


def _not_one(path: Path, value: dict[str, Any], fields: list[Path], schema: Schema) -> _Mistake:
    names = [str(field[0]) for field in fields if len(field) == 1]
    there = [field for key in value for field in fields if field[0] == key and _holds(value, field)]
    if there:
        problem = f"cannot be combined with `{dotted(there[0])}`", f"keep one of them: {either(names)}"
        return _Mistake((*path, *there[-1]), problem, at_key=True)
    missing = f"{either([f'`{name}`' for name in names])} is missing", "write exactly one of them"
    return _Mistake(path, _missing(names[0], schema) if len(names) == 1 else missing, absence=True)


def _holds(value: Any, field: Path) -> bool:  # noqa: ANN401 - JSON
    for step in field:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _unknown(
    key: str, path: Path, here: Schema, schema: Schema, misplaced: Mapping[str, str]
) -> MessageAndHint:
    message, top = "unknown field", not path
    if top and (key.startswith("x-") or key in _SHARED):
        return message, SHARED_FIELDS
    if top and key in misplaced:
        return message, misplaced[key]
    if not top and key in schema["properties"]:
        return message, "it belongs at the top level: check the indentation"
    for name, field in schema["properties"].items():
        if top and key in _inner(field, schema).get("properties", ()):
            return message, f"it belongs under `{name}`"
    names = list(here["properties"])
    return message, did_you_mean(key, names, f"the fields here are {some(names, 20)}")


def _inner(field: Schema, schema: Schema) -> Schema:
    reference = field.get("$ref") or field.get("items", {}).get("$ref", "")
    found: Schema = schema["$defs"].get(reference.rpartition("/")[2], {})
    return found


def _missing(name: str, here: Schema) -> MessageAndHint:
    examples = here["properties"][name].get("examples")
    return f"`{name}` is missing", f"add `{name}: {examples[0]}`" if examples else f"add `{name}`"


def _describe(error: ValidationError) -> MessageAndHint:
    describe = _DESCRIBERS.get(str(error.validator))
    wanted, here = cast("Any", error.validator_value), cast("Schema", error.schema)
    return describe(error, wanted, here) if describe else ("not permitted here", "")


def _any_of(error: ValidationError, branches: list[Schema]) -> MessageAndHint:
    # Of several permitted types, describe the one that the value has.
    fitting = next((it for it in error.context or () if it.validator not in ("type", "oneOf")), None)
    # Do not suggest a mapping among several types: most authors meant a plain value.
    types = [branch["type"] for branch in branches if "type" in branch]
    return _describe(fitting) if fitting else _type(error.instance, types)


def _type(value: object, wanted: list[str]) -> MessageAndHint:
    if value is None:
        return "empty", _REMOVE
    # Every whole number is a number: do not list both.
    left = {"null"} | ({"integer"} if "number" in wanted else set())
    names = [KINDS[name] for name in wanted if name not in left]
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


def _range(here: Schema) -> str:
    low, high = here.get("minimum"), here.get("maximum")
    if "exclusiveMinimum" in here:
        return f"more than {here['exclusiveMinimum']:,}" + (f", at most {high:,}" if high else "")
    return f"at least {low:,}" if high is None else f"{low:,} to {high:,}"


_DESCRIBERS: Final[dict[str, Callable[[ValidationError, Any, Schema], MessageAndHint]]] = {
    "anyOf": lambda error, wanted, _: _any_of(error, wanted),
    "type": lambda error, wanted, _: _type(error.instance, wanted if isinstance(wanted, list) else [wanted]),
    "enum": lambda error, wanted, _: (
        f"must be {either([f'`{name}`' for name in wanted])}",
        did_you_mean(error.instance, wanted, "") if isinstance(error.instance, str) else "",
    ),
    "pattern": lambda _, __, here: (here["errorMessage"], here["x-hint"]),
    "minLength": lambda error, _, __: ("an empty name" if _of_key(error) else "empty", _REMOVE),
    "maxLength": lambda error, most, _: (
        f"{len(cast('str', error.instance)):,} characters, at most {most}",
        "shorten it",
    ),
    "minItems": lambda *_: ("an empty list", _REMOVE),
    "minProperties": lambda *_: ("empty", _REMOVE),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum"), lambda _, __, here: (f"must be {_range(here)}", "")
    ),
}

"""Make a small instance of a JSON Schema: the answer to a request that asks for one in `response_format`.

An instance has the required properties and the fewest items; its texts say `sandbox`. Understood are `type`, `enum`,
`const`, `$ref`, `allOf`, `anyOf`, `oneOf`, and the bounds of objects, arrays, texts and numbers; `not`, `if` and
`dependentSchemas` are ignored. The instance for a schema is always the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from reconciler.sandbox import texts
from reconciler.sandbox.merge import NoInstanceError, merge

_DEPTHS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""How deep values and references may be nested, the shallowest first: a recursive schema then ends early."""
_INVALID: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError, re.error)
"""What an invalid schema raises, such as a number where a list should be."""
_BOOLEANS: Final = (False, True)
_STEPS: Final = 20_000
"""Most schemas looked at for one instance."""
_MOST: Final = 1_000
"""Most items or properties of one value."""
_SIGNS: Final = (
    ("object", ("properties", "required", "minProperties", "additionalProperties")),
    ("array", ("items", "prefixItems", "minItems", "contains")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
"""What a schema without a type is for, by its other keywords; otherwise for text."""
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def instance_text(schema: object) -> str:
    """Return a small instance of a schema as JSON text; `{}` if none is found."""
    return _instance_text(msgspec.json.encode(schema))


@lru_cache(maxsize=256)
def _instance_text(schema: bytes) -> str:
    return msgspec.json.encode(instance(msgspec.json.decode(schema))).decode()


def instance(schema: object) -> Any:  # noqa: ANN401 - JSON
    """Return a small instance of a schema; an empty object if none is found."""
    maker = _Maker(schema)
    for depth in _DEPTHS:
        try:
            return maker.make(schema, depth)
        except (NoInstanceError, RecursionError):
            continue
        except _INVALID:
            break
    return {}


class _Maker:
    """Makes instances of the schemas in one document."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._steps = _STEPS

    def make(self, schema: object, depth: int, nth: int = 0) -> Any:  # noqa: ANN401 - JSON
        """Return the nth instance of a schema; those of most schemas differ.

        Raises:
            NoInstanceError: none is found within the depth.
        """
        flat = self._flat(schema, depth)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(flat.get(keyword), list):
                rest = {name: value for name, value in flat.items() if name != keyword}
                parts: Sequence[object] = [{"allOf": [rest, part]} for part in flat[keyword]]
                return _first(lambda part: self.make(part, depth, nth), parts)
        if "const" in flat:
            return flat["const"]
        types = _types(flat)
        if "enum" in flat:
            fitting = [it for it in flat["enum"] if any(_is(it, name) for name in types)]
            return fitting[nth] if fitting[nth:] else _none()
        return _first(lambda name: self._of_type(name, flat, depth - 1, nth), types)

    def _flat(self, schema: object, depth: int) -> dict[str, Any]:
        """Return a schema with its references and its `allOf` merged into it."""
        self._steps -= 1
        if schema is False or depth < 0 or self._steps < 0:
            raise NoInstanceError
        if not isinstance(schema, dict):
            return {}
        flat = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        parts = [*schema.get("allOf", ()), *([self._target(schema["$ref"])] if "$ref" in schema else ())]
        for part in parts:
            flat = merge(flat, self._flat(part, depth - 1))
        return flat

    def _target(self, reference: object) -> object:
        target = self._root
        for step in str(reference).removeprefix("#").split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(name, {})
            elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
        return target

    def _of_type(self, name: str, schema: dict[str, Any], depth: int, nth: int) -> Any:  # noqa: ANN401 - JSON
        match name:
            case "object":
                return self._object(schema, depth, nth)
            case "array":
                return self._array(schema, depth, nth)
            case "string":
                return texts.text(schema, nth)
            case "integer" | "number":
                return _number(schema, nth, whole=name == "integer")
            case "boolean":
                return _BOOLEANS[nth] if _BOOLEANS[nth:] else _none()
            case _:
                return None if nth == 0 else _none()

    def _object(self, schema: dict[str, Any], depth: int, nth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        waiting = [*schema.get("required", ())]
        while waiting:
            name = str(waiting.pop(0))
            if name not in made:
                made[name] = self.make(_property(schema, name), depth, nth)
                waiting += schema.get("dependentRequired", {}).get(name, ())
        others = _names(schema)
        while len(made) < schema.get("minProperties", 0):
            name = next(others)
            if name not in made:
                made[name] = self.make(_property(schema, name), depth, nth)
        return made

    def _array(self, schema: dict[str, Any], depth: int, nth: int) -> list[Any]:
        items = schema.get("items", True)
        first = items if isinstance(items, list) else schema.get("prefixItems", [])
        rest = schema.get("additionalItems", True) if isinstance(items, list) else items
        least = schema.get("minItems", 0)
        if least > _MOST:
            raise NoInstanceError
        wanted = [*first[:least]]
        if "contains" in schema:
            wanted += [{"allOf": [rest, schema["contains"]]}] * min(schema.get("minContains", 1), _MOST)
        wanted += [rest] * (least - len(wanted))
        made: list[Any] = []
        for at, part in enumerate(wanted):
            if schema.get("uniqueItems"):
                made.append(self._other(part, depth, made))
            else:
                made.append(self.make(part, depth, nth if at == 0 else 0))
        return made

    def _other(self, schema: object, depth: int, others: Sequence[object]) -> Any:  # noqa: ANN401 - JSON
        """Return an instance that is not among the others."""
        known = {msgspec.json.encode(other) for other in others}
        for nth in range(len(others) + 1):
            made = self.make(schema, depth, nth)
            if msgspec.json.encode(made) not in known:
                return made
        raise NoInstanceError


def _none() -> Any:  # noqa: ANN401 - does not return
    raise NoInstanceError


def _first(make: Callable[[Any], Any], parts: Sequence[object]) -> Any:  # noqa: ANN401 - JSON
    """Return the first instance that can be made."""
    for part in parts:
        try:
            return make(part)
        except NoInstanceError:
            continue
    raise NoInstanceError


def _types(schema: Mapping[str, Any]) -> list[str]:
    given = schema.get("type")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list):
        return given
    if "enum" in schema:
        return [*_TYPES]
    return [next((name for name, words in _SIGNS if any(word in schema for word in words)), "string")]


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES.get(name, ()))


def _property(schema: Mapping[str, Any], name: str) -> object:
    """Return the schema of a property."""
    parts = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    parts += [it for pattern, it in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
    return {"allOf": parts} if parts else schema.get("additionalProperties", True)


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield names for properties that are not required."""
    yield from schema.get("properties", {})
    yield from (f"sandbox{at or ''}" for at in range(_MOST))
    raise NoInstanceError


def _number(schema: Mapping[str, Any], nth: int, *, whole: bool) -> float:
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    step = schema.get("multipleOf", 1)
    begin = 0 if low <= 0 <= high else (low if low > 0 else high)
    steps = math.ceil(begin / step) if begin >= 0 else math.floor(begin / step)
    near: list[float] = [round((steps + at) * step, 12) for at in (*range(3 + nth), -1, -2)]
    near += [] if "multipleOf" in schema or whole else [low, high, (low + high) / 2]
    fitting = [
        int(it) if it == int(it) else it
        for it in near
        if math.isfinite(it)
        and schema.get("minimum", -math.inf) <= it <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < it < schema.get("exclusiveMaximum", math.inf)
        and (not whole or it == int(it))
    ]
    return fitting[nth] if fitting[nth:] else _none()

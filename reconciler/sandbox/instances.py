"""Make a small value for a JSON Schema: the answer to a request that asks for one in `response_format`.

A value has the required properties and the fewest items, and is always the same. Understood are `type`, `enum`,
`const`, local references, `allOf`, `anyOf` and `oneOf`, `required` and `properties`, `minItems` and `prefixItems`,
lengths, bounds of numbers, and some formats. Others are ignored, such as `pattern`: then a value may be invalid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import msgspec

_WORD: Final = "sandbox"
_STEPS: Final = 10_000
"""Most schemas looked at for one value. It bounds the size of the value too."""
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "sandbox@example.org",
    "ipv4": "192.0.2.0",
    "time": "00:00:00Z",
    "uri": "https://example.org/sandbox",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_TYPE_OF: Final = {
    **dict.fromkeys(("properties", "required"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems"), "array"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
"""The type of a schema that names none, by a keyword that it has; otherwise `string`."""
_INVALID: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _NoValueError(Exception):
    """A schema accepts no value, or none that is small."""


def instance_text(schema: object) -> str:
    """Return a small value for a schema as JSON text; `{}` if none is found."""
    return _text(msgspec.json.encode(schema))


@lru_cache(maxsize=256)
def _text(schema: bytes) -> str:
    root = msgspec.json.decode(schema)
    with suppress(_NoValueError, *_INVALID):
        return msgspec.json.encode(_Maker(root).make(root, frozenset())).decode()
    return "{}"


class _Maker:
    """Makes values for the schemas in a document. `inside` are the references that lead to a schema."""

    def __init__(self, root: object) -> None:
        self._root, self._left = root, _STEPS

    def make(self, schema: object, inside: frozenset[str]) -> Any:  # noqa: ANN401 - JSON
        flat, inside = self._flat(schema, inside)
        choices = flat.pop("anyOf", None) or flat.pop("oneOf", None)
        if choices is not None:
            for choice in choices:
                with suppress(_NoValueError):
                    return self.make({**flat, "allOf": [choice]}, inside)
            raise _NoValueError
        fixed = [flat["const"]] if "const" in flat else flat.get("enum")
        return self._of_type(flat, inside) if fixed is None else fixed[0]

    def _of_type(self, flat: dict[str, Any], inside: frozenset[str]) -> Any:  # noqa: ANN401 - JSON
        kind = flat.get("type") or next((_TYPE_OF[word] for word in flat if word in _TYPE_OF), "string")
        match kind if isinstance(kind, str) else kind[0]:
            case "object":
                known, other = flat.get("properties", {}), flat.get("additionalProperties", True)
                return {str(it): self.make(known.get(it, other), inside) for it in flat.get("required", ())}
            case "array":
                first, other = flat.get("prefixItems", []), flat.get("items", True)
                least = range(flat.get("minItems", 0))
                return [self.make(first[at] if at < len(first) else other, inside) for at in least]
            case "string":
                word = _FORMATS.get(flat.get("format", ""), _WORD)
                return word[: flat.get("maxLength")].ljust(min(flat.get("minLength", 0), _STEPS), "x")
            case "integer" | "number" as name:
                return _number(flat, whole=name == "integer")
            case other:
                return {"boolean": False, "null": None}[other]

    def _flat(self, schema: object, inside: frozenset[str]) -> tuple[dict[str, Any], frozenset[str]]:
        """Return a schema with its reference and its `allOf` merged into it, and the references that it is inside."""
        self._left -= 1
        if schema is False or self._left < 0:
            raise _NoValueError
        if not isinstance(schema, dict):
            return {}, inside
        flat = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        parts = [*schema.get("allOf", ())]
        if (reference := schema.get("$ref")) in inside:
            raise _NoValueError
        if reference is not None:
            inside |= {reference}
            parts.append(self._target(reference))
        within = inside
        for part in parts:
            more, entered = self._flat(part, within)
            inside |= entered
            merged = {"properties": {**flat.get("properties", {}), **more.get("properties", {})}}
            merged["required"] = dict.fromkeys([*flat.get("required", ()), *more.get("required", ())])
            flat = {**flat, **more, **{name: value for name, value in merged.items() if value}}
        return flat, inside

    def _target(self, reference: str) -> object:
        target: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            target = target[unquote(step).replace("~1", "/").replace("~0", "~")]
        return target


def _number(schema: Mapping[str, Any], *, whole: bool) -> float:
    """Return 0 if it is within the bounds, or a number near a bound."""
    least, above = schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf)
    most, below = schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf)
    bounds = [it for it in (max(least, above), min(most, below)) if math.isfinite(it)]
    step = schema.get("multipleOf", 1)
    near = [0, *(step * (math.floor(it / step) + more) for it in bounds for more in (0, 1, -1))]
    near += [] if whole or "multipleOf" in schema else [*bounds, sum(bounds) / 2]
    return next((it for it in near if least <= it <= most and above < it < below), 0)

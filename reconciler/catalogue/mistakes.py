"""Find plain mistakes in request bodies: a wrong type, a number out of bounds, an unknown role, a misspelt field.

`fit` is fast and says only whether lines have mistakes; `mistakes` is slower and says which. Both read the types in
`bodies`. A text that holds a number passes for a number, as in the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct, structs

from reconciler.catalogue.bodies import ENDPOINTS, OTHER_NAMES, Body, Format, NoStream, Role
from reconciler.text.suggest import KINDS, either, nearest

SHAPES: Final[Mapping[str, type[Body]]] = {it.__name__: it for it in ENDPOINTS.values()}
"""The types of bodies by name."""

_KINDS: Final = {
    "array": KINDS["array"],
    "bool": KINDS["boolean"],
    "float": KINDS["number"],
    "int": KINDS["integer"],
    "null": KINDS["null"],
    "object": KINDS["object"],
    "str": KINDS["string"],
}
"""Plain words for the types in msgspec's messages."""
_BOUNDS: Final = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}
_INNER: Final[Mapping[str | int, object]] = {"role": Role, "type": Format}
"""The types of fields inside a field that have choices."""

_PLACE: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d*)")
_WRONG_TYPE: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_EMPTY: Final = re.compile(r"Expected `array` of length")
_OUT_OF_BOUNDS: Final = re.compile(r"Expected `\w+` ([<>]=?) (\S+)")
_MISSING: Final = re.compile(r"Object missing required field `([^`]+)`")
_LACKS: Final = "is missing"


class Mistake(Struct, frozen=True):
    """One plain mistake in a body. It repeats no value of the body, which may be confidential."""

    path: tuple[str | int, ...]
    """The names and positions that lead to it."""
    what: str
    """What is wrong, such as `is text, not a list`."""

    @property
    def lacks(self) -> bool:
        """Whether the body lacks a field that it must have."""
        return self.what == _LACKS and len(self.path) == 1

    @property
    def where(self) -> str:
        """The path as text, without positions: `body.messages[].role`."""
        return "body" + "".join("[]" if isinstance(step, int) else f".{step}" for step in self.path)


def shape_of(endpoint: str) -> str | None:
    """Return the name of the type of an endpoint's bodies, None for an unknown endpoint."""
    shape = ENDPOINTS.get(endpoint)
    return None if shape is None else shape.__name__


def fit(shapes: Iterable[str], lines: Iterable[bytes | bytearray]) -> frozenset[str]:
    """Return those of the shapes that every line has: a body of that type, without a mistake.

    Args:
        shapes: names in `SHAPES`.
        lines: lines of a file of requests.
    """
    return frozenset(shape for shape in shapes if _all_have(_decoder(shape), lines))


def _all_have(decode: Callable[[bytes | bytearray], object], lines: Iterable[bytes | bytearray]) -> bool:
    try:
        for line in lines:
            decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


@cache
def _decoder(shape: str) -> Callable[[bytes | bytearray], object]:
    line = msgspec.defstruct("Line", [("body", SHAPES[shape])])
    return msgspec.json.Decoder(line, dec_hook=_no_stream).decode


def _no_stream(_: type, value: object) -> NoStream:
    """Check the value of a field of the type `NoStream`."""
    if value:
        raise ValueError("must be false in a batch")
    return NoStream()


def mistakes(endpoint: str, body: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield the plain mistakes in a body, none for an unknown endpoint.

    A missing `model` is none: the job names it.
    """
    shape = ENDPOINTS.get(endpoint)
    if shape is None:
        return
    fields = _fields(shape)
    if whole := _mistake((), {name: value for name, value in body.items() if name in fields}, shape):
        lacks = [
            Mistake((name,), _LACKS)
            for name, (_, required) in fields.items()
            if required and name not in body
        ]
        each = (_mistake((name,), body[name], wanted) for name, (wanted, _) in fields.items() if name in body)
        yield from [*lacks, *filter(None, each)] or [whole]
    for name in body:
        if meant := _misspelt(shape, name):
            yield Mistake((name,), f"is no field of {endpoint}: did you mean `{meant}`?")


def _mistake(path: tuple[str, ...], value: object, wanted: object) -> Mistake | None:
    """Return the first mistake in the value at a path, None if it has the wanted type."""
    try:
        msgspec.convert(value, wanted, strict=False, dec_hook=_no_stream)
    except RecursionError:
        return Mistake(path, "is nested too deeply")
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        steps = _STEP.findall(place[1]) if place else []
        inner = [step or int(position or 0) for step, position in steps]
        return _in_words((*path, *inner), str(error).partition(" - at `")[0], wanted)
    return None


def _in_words(path: tuple[str | int, ...], message: str, wanted: object) -> Mistake:
    """Return a mistake for a message of msgspec, without the values that it may repeat."""
    if found := _MISSING.match(message):
        return Mistake((*path, found[1]), _LACKS)
    if found := _WRONG_TYPE.match(message):
        types = [_KINDS.get(it, it) for it in found[1].split(" | ") if it != "null"]
        return Mistake(path, f"is {_KINDS.get(found[2], found[2])}, not {either(types)}")
    if found := _OUT_OF_BOUNDS.match(message):
        return Mistake(path, f"must be {_BOUNDS[found[1]]} {float(found[2]):g}")
    if _EMPTY.match(message):
        return Mistake(path, "is empty")
    if message.startswith("Invalid enum value"):
        return Mistake(path, f"must be {either(_choices(_INNER.get(path[-1] if path else '', wanted)))}")
    return Mistake(path, message)  # of this package: see `bodies`


def _choices(wanted: object) -> list[str]:
    """Return the texts that a type allows."""
    inner = get_args(wanted)
    return [it for it in inner if isinstance(it, str)] or [text for it in inner for text in _choices(it)]


@cache
def _fields(shape: type[Body]) -> Mapping[str, tuple[object, bool]]:
    """Return the type of each field, and whether the API requires it."""
    return {it.encode_name: (it.type, it.required) for it in structs.fields(shape)}


@cache
def _misspelt(shape: type[Body], name: str) -> str | None:
    """Return the field that a name was probably meant to be, None if it is a field or is like none."""
    known = _fields(shape)
    if name in known:
        return None
    meant = OTHER_NAMES.get(name)
    return meant if meant in known else nearest(name, known)

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
from msgspec import Struct

from reconciler.catalogue.bodies import BODIES, OTHER_NAMES, REQUIRED, Format, NoStream, Role
from reconciler.text.plural import pluralize
from reconciler.text.suggest import KINDS, either, nearest

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

_PLACE: Final = re.compile(r"`\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d*)")
_WRONG_TYPE: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_EMPTY: Final = re.compile(r"Expected `array` of length")
_OUT_OF_BOUNDS: Final = re.compile(r"Expected `\w+` ([<>]=?) (\S+)")
_MISSING: Final = re.compile(r"Object missing required field `([^`]+)`")
_LACKS: Final = "is missing"
MAX_KINDS: Final = 20
"""Kinds of mistakes of one input that `warnings` returns."""
HINT: Final = "the API rejects such a request"


class Mistake(Struct, frozen=True):
    """One plain mistake in a body. It repeats no value of the body, which may be confidential."""

    path: tuple[str | int, ...]
    """The names and positions that lead to it."""
    what: str
    """What is wrong, such as `is text, not a list`."""

    @property
    def where(self) -> str:
        """The path as text, without positions: `body.messages[].role`."""
        return "body" + "".join("[]" if isinstance(step, int) else f".{step}" for step in self.path)


def fit(endpoints: Iterable[str], lines: Iterable[bytes | bytearray]) -> frozenset[str]:
    """Return those of the endpoints, keys of `BODIES`, for which no line of a file of requests has a mistake."""
    return frozenset(endpoint for endpoint in endpoints if _all_have(_decoder(endpoint), lines))


def _all_have(decode: Callable[[bytes | bytearray], object], lines: Iterable[bytes | bytearray]) -> bool:
    try:
        for line in lines:
            decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


@cache
def _decoder(endpoint: str) -> Callable[[bytes | bytearray], object]:
    required = REQUIRED.get(endpoint)
    fields = [
        (name, wanted) if name == required else (name, wanted, None)
        for name, wanted in BODIES[endpoint].items()
    ]
    body = msgspec.defstruct("Body", fields, forbid_unknown_fields=True, kw_only=True)
    line = msgspec.defstruct("Line", [("body", body)])
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
    known = BODIES.get(endpoint, {})
    for name, wanted in known.items():
        if name in body:
            yield from _mistake((name,), body[name], wanted)
        elif name == REQUIRED.get(endpoint):
            yield Mistake((name,), _LACKS)
    for name in body if known else ():
        if meant := _misspelt(endpoint, name):
            yield Mistake((name,), f"is no field of {endpoint}: did you mean `{meant}`?")


def warnings(
    endpoint: str, bodies: Iterable[tuple[int, Mapping[str, Any]]], unit: str
) -> list[tuple[int, str]]:
    """Return a message for each kind of mistake in bodies, with the position of its first one.

    A kind with several bodies has their number, in words of `unit`. Fields that the body lacks are left out.
    """
    found: dict[str, list[int]] = {}
    for at, body in bodies:
        others = (it for it in mistakes(endpoint, body) if it.what != _LACKS or len(it.path) > 1)
        for words in dict.fromkeys(f"`{it.where}` {it.what}" for it in others):
            if words in found or len(found) < MAX_KINDS:
                found.setdefault(words, [at, 0])[1] += 1
    return [
        (first, words if number == 1 else f"{words} ({pluralize(number, unit)})")
        for words, (first, number) in found.items()
    ]


def _mistake(path: tuple[str, ...], value: object, wanted: object) -> Iterator[Mistake]:
    """Yield the first mistake in the value at a path, if it has not the wanted type."""
    try:
        msgspec.convert(value, wanted, strict=False, dec_hook=_no_stream)
    except RecursionError:
        yield Mistake(path, "is nested too deeply")
    except msgspec.ValidationError as error:
        inner, message = located(error)
        yield _in_words((*path, *inner), message, wanted)


def located(error: Exception) -> tuple[tuple[str | int, ...], str]:
    """Return the path that the message of an error of msgspec ends in, and the message without it."""
    place = _PLACE.search(str(error))
    steps = _STEP.findall(place[1]) if place else []
    return tuple(step or int(position or 0) for step, position in steps), str(error).partition(" - at `")[0]


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
def _misspelt(endpoint: str, name: str) -> str | None:
    """Return the field that a name was probably meant to be, None if it is a field or is like none."""
    known = BODIES[endpoint]
    if name in known:
        return None
    meant = OTHER_NAMES.get(name)
    return meant if meant in known else nearest(name, known)

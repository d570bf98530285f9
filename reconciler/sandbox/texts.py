"""Make a short text for a JSON Schema of texts: with a format, a pattern, or a length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from itertools import islice
from string import ascii_lowercase, ascii_uppercase, digits, punctuation
from typing import Any, Final
from uuid import UUID

from reconciler.sandbox.merge import NoInstanceError

_WORD: Final = "sandbox"
_LONGEST: Final = 100_000

_CHARACTERS: Final = f"{ascii_lowercase}{ascii_uppercase}{digits} {punctuation}"
_CATEGORIES: Final = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}

_FORMATS: Final[Mapping[str, Callable[[int], str]]] = {
    "date": lambda nth: f"2026-{nth // 28 % 12 + 1:02}-{nth % 28 + 1:02}",
    "date-time": lambda nth: f"2026-01-01T{nth // 3600 % 24:02}:{nth // 60 % 60:02}:{nth % 60:02}Z",
    "duration": lambda nth: f"PT{nth}S",
    "email": lambda nth: f"{_WORD}{nth or ''}@example.org",
    "hostname": lambda nth: f"{_WORD}{nth or ''}.example.org",
    "idn-email": lambda nth: f"{_WORD}{nth or ''}@example.org",
    "idn-hostname": lambda nth: f"{_WORD}{nth or ''}.example.org",
    "ipv4": lambda nth: f"192.0.2.{nth % 256}",
    "ipv6": lambda nth: f"2001:db8::{nth % 65536:x}",
    "iri": lambda nth: f"https://example.org/{_WORD}{nth or ''}",
    "json-pointer": lambda nth: f"/{_WORD}{nth or ''}",
    "time": lambda nth: f"{nth // 3600 % 24:02}:{nth // 60 % 60:02}:{nth % 60:02}Z",
    "uri": lambda nth: f"https://example.org/{_WORD}{nth or ''}",
    "uuid": lambda nth: str(UUID(int=nth, version=4)),
}


def text(schema: Mapping[str, Any], nth: int) -> str:
    """Return the nth text for a schema.

    Raises:
        NoInstanceError: none is found.
    """
    least, most = schema.get("minLength", 0), schema.get("maxLength", _LONGEST)
    made = _made(schema, nth)
    if made is None:
        word = f"{nth}"[::-1] if nth else _WORD
        made = word[: max(most, 0)].ljust(min(least, _LONGEST), "x")
    if least <= len(made) <= most:
        return made
    raise NoInstanceError


def _made(schema: Mapping[str, Any], nth: int) -> str | None:
    """Return a text for the pattern or the format of a schema, None if it has neither or they are not understood."""
    if isinstance(schema.get("pattern"), str):
        found = _matching(schema["pattern"], schema.get("minLength", 0))
        if found is not None:
            return found if nth == 0 else None
    make = _FORMATS.get(str(schema.get("format")))
    return make(nth) if make else None


def _matching(pattern: str, least: int) -> str | None:
    """Return a short text that matches a regular expression, None if none is found."""
    try:
        parsed = import_module("re._parser").parse(pattern)
        for more in (0, least):
            made = "".join(islice(_shortest(parsed, more), _LONGEST))
            if len(made) >= least and re.search(pattern, made):
                return made
    except (re.error, KeyError, RecursionError, OverflowError):
        pass
    return None


def _shortest(parsed: Iterable[tuple[object, Any]], more: int) -> Iterator[str]:
    """Yield the parts of a short text; repeat up to `more` times more than needed.

    Raises:
        KeyError: the expression has a construct that is not understood.
    """
    for operation, value in parsed:
        match str(operation):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, inner = value
                for _ in range(min(least + more, int(most))):
                    yield from _shortest(inner, 0)
            case "SUBPATTERN":
                yield from _shortest(value[-1], more)
            case "BRANCH":
                yield from _shortest(value[1][0], more)
            case other:
                yield _ONE[other](value)


def _member(members: Iterable[tuple[object, Any]]) -> str:
    """Return a character of a class."""
    found = [(str(kind), value) for kind, value in members]
    if found[0][0] == "NEGATE":
        fitting = (it for it in _CHARACTERS if not any(_has(kind, value, it) for kind, value in found[1:]))
    else:
        known = (*_CHARACTERS, *_begins(found))
        fitting = (it for it in known if any(_has(kind, value, it) for kind, value in found))
    return next(fitting, "")


def _begins(members: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for kind, value in members:
        if kind in {"LITERAL", "RANGE"}:
            yield chr(value if kind == "LITERAL" else value[0])


def _has(kind: str, value: Any, character: str) -> bool:  # noqa: ANN401 - of re's parser
    match kind:
        case "LITERAL":
            return bool(ord(character) == value)
        case "RANGE":
            return bool(value[0] <= ord(character) <= value[1])
        case _:
            return re.fullmatch(_CATEGORIES[str(value)], character) is not None


_ONE: Final[Mapping[str, Callable[[Any], str]]] = {
    "ANY": lambda _: "a",
    "AT": lambda _: "",
    "IN": _member,
    "LITERAL": chr,
    "NOT_LITERAL": lambda value: "a" if value != ord("a") else "b",
}
"""The text for each construct that matches at most one character."""

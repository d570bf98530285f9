"""A template: `custom_id` and a request body with placeholders for the columns of a table. Pure.

A placeholder is `{{column}}`, in any text of the body and in `custom_id`. There are no expressions. Values are inserted
as data: each is encoded as a piece of a JSON text, or as one whole JSON value, so that nothing in a table can become
structure. `{{{{` means the two braces themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

Value: TypeAlias = str | int | float | bool | Decimal | None
"""A cell of a table."""
Steps: TypeAlias = tuple[str | int, ...]
"""The way to a value of the body: keys and positions."""

_PLACEHOLDER: Final = re.compile(r"\{\{(?:(?P<braces>\{\{)|(?P<name>[^{}\n]{1,200})\}\})?")
ID: Final = "custom_id"
MAX_DIGITS: Final = 308
"""Digits of a number before or after its point: as many as JSON numbers have that others can read."""
_encode: Final = msgspec.json.Encoder().encode


class TemplateError(Exception):
    """A placeholder cannot be read. `steps` says where in the body; empty for `custom_id`."""

    def __init__(self, message: str, steps: Steps) -> None:
        super().__init__(message)
        self.steps = steps


class CellError(Exception):
    """A value of a row cannot be inserted."""

    def __init__(self, column: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.column = column
        self.hint = hint


class Slot(Struct, frozen=True):
    """A placeholder."""

    column: str
    whole: bool
    """Whether it is the whole text, and so takes the value with its type."""
    steps: Steps
    """The way to it in the body."""


Piece: TypeAlias = bytes | Slot


class Template(Struct, frozen=True):
    """A template, split into the bytes that are the same in every request and the placeholders between them."""

    custom_id: tuple[Piece, ...]
    body: tuple[Piece, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it uses, each once, in the order of their first use."""
        return tuple(dict.fromkeys(slot.column for slot in self.slots))

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Its placeholders, those of `custom_id` first."""
        return tuple(piece for piece in (*self.custom_id, *self.body) if isinstance(piece, Slot))

    def render_id(self, row: Mapping[str, Value]) -> bytes:
        """Return the `custom_id` of a row as JSON. Raises `CellError`."""
        return _filled(self.custom_id, row)

    def render(self, row: Mapping[str, Value]) -> bytes:
        """Return the request of a row as a line of an input file, with its line feed. Raises `CellError`."""
        return b'{"custom_id":%b,"body":%b}\n' % (_filled(self.custom_id, row), _filled(self.body, row))


def compiled(custom_id: str, body: Mapping[str, Any]) -> Template:
    """Read a template. Raises `TemplateError` if a placeholder is not closed or has no name, or a key has one."""
    pieces = tuple(_of_text(custom_id, (), whole=False))
    return Template(_joined(pieces), _joined(_of_value(body, ())))


def _of_value(value: Any, steps: Steps) -> Iterator[Piece]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield from _of_text(value, steps, whole=True)
    elif isinstance(value, Mapping):
        yield b"{"
        for at, (key, inner) in enumerate(value.items()):
            if "{{" in key:
                raise TemplateError("a key has a placeholder; only values may", (*steps, key))
            yield b"%b%b:" % (b"," if at else b"", _encode(key))
            yield from _of_value(inner, (*steps, key))
        yield b"}"
    elif isinstance(value, Sequence):
        yield b"["
        for at, inner in enumerate(value):
            yield b"," if at else b""
            yield from _of_value(inner, (*steps, at))
        yield b"]"
    else:
        yield _encode(value)


def _of_text(text: str, steps: Steps, *, whole: bool) -> Iterator[Piece]:
    """Yield the pieces of a text: JSON with quotation marks, or the value of a column if a placeholder is all of it."""
    alone = _PLACEHOLDER.fullmatch(text)
    if whole and alone and alone["name"]:
        yield Slot(alone["name"].strip(), True, steps)
        return
    yield b'"'
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        if found["braces"] is None and found["name"] is None:
            after = text[found.start() : found.start() + 20].partition("\n")[0]
            raise TemplateError(f"`{after}`: `{{{{` begins a placeholder that has no end or no name", steps)
        yield _inside(text[end : found.start()] + ("{{" if found["braces"] else ""))
        if found["name"]:
            yield Slot(found["name"].strip(), False, steps)
        end = found.end()
    yield _inside(text[end:])
    yield b'"'


def cells_in(text: str, made: str) -> dict[str, str]:
    """Return the cells by column, escaped as in JSON, in what a text of a template made; {} if another text made it.

    A cell ends where the text after its placeholder is first found.
    """
    pieces, line = _joined(_of_text(text, (), whole=False)), _encode(made)
    cells, at, column = dict[str, str](), 0, ""
    for number, piece in enumerate(pieces, start=1):
        if isinstance(piece, Slot):
            column = "" if column else piece.column
            continue
        end = len(line) - len(piece) if number == len(pieces) else line.find(piece, at)
        if end < at or not line.startswith(piece, end) or (end > at and not column):
            return {}
        if column:
            cells[column] = line[at:end].decode()
        at, column = end + len(piece), ""
    return cells


def _inside(text: str) -> bytes:
    """Return a text as the inside of a JSON text."""
    return _encode(text)[1:-1]


def _joined(pieces: Iterator[Piece] | Sequence[Piece]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += piece
        elif piece != b"":
            found.append(piece)
    return tuple(found)


def _filled(pieces: Sequence[Piece], row: Mapping[str, Value]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else _inserted(piece, row) for piece in pieces)


def _inserted(slot: Slot, row: Mapping[str, Value]) -> bytes:
    value = row[slot.column]
    try:
        if type(value) is str:
            return _encode(value) if slot.whole else _inside(value)
        if slot.whole:
            return (
                b"null"
                if value is None
                else _encode(value)
                if value is True or value is False
                else _number(value)
            )
        return _inside(text_of(value))
    except UnicodeEncodeError:
        message = "not UTF-8, or half a character (a lone surrogate)"
        raise CellError(slot.column, message, "save the file as UTF-8") from None
    except ValueError as error:
        raise CellError(slot.column, str(error), "fill the cell, or select other rows with a query") from None


def text_of(value: Value) -> str:
    """Return the text form of a value: numbers as in JSON, decimals with all their digits, `true` and `false`.

    Raises `ValueError` if it has none.
    """
    if value is None:
        raise ValueError("null, and the placeholder is a part of a text")
    if isinstance(value, str):
        return value
    return "true" if value is True else "false" if value is False else _number(value).decode()


def _number(value: float | Decimal | str | None) -> bytes:
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
            raise ValueError(f"not a number of JSON with at most {MAX_DIGITS} digits")
        return f"{value:f}".encode()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number of JSON")
    return _encode(value)

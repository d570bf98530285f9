"""Decode lines of an input file strictly, in batches: a batch without anything suspicious is accepted as a whole."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct, field

from reconciler.catalogue.workload import Load
from reconciler.specs.inputs.blocks import Text, split
from reconciler.specs.inputs.diagnose import MAX_LENGTH, check_utf8, repeats_a_key
from reconciler.specs.inputs.requirements import FIELDS

_Id = Annotated[str, msgspec.Meta(min_length=1)]
_LINES_AT_A_TIME: Final = 32
"""Lines decoded at a time: Python keeps about this many freed objects of a type for reuse."""


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One request. Its body is decoded, not skipped: skipping would accept invalid UTF-8 and 1e400."""

    custom_id: _Id
    body: dict[str, Any]


_SKIPPED: Final = [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in FIELDS]
_SHORT: Final = 300
"""Bytes of a line below which counting its lists is quicker than looking at its messages."""
_READ: Final = ("model", "max_tokens", "n", "pages")
_Body = msgspec.defstruct("_Body", [*_SKIPPED, *((name, Any, msgspec.UNSET) for name in _READ)])
"""The body of a long line: checked as JSON and skipped, since decoding takes many times its size."""
LONG: Final = {"too long to be decoded": None}
"""Is in the body of a long line, in place of its other fields."""


class _LongLine(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: msgspec.Raw
    body: msgspec.Raw


_KEYS_ONLY: Final = len('{"custom_id":,"body":}')
_SHORTEST_REPEAT: Final = len('"body":0,')

_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_long: Final = msgspec.json.Decoder(_LongLine).decode
_decode_id: Final = msgspec.json.Decoder(_Id).decode
_decode_body: Final = msgspec.json.Decoder(_Body).decode
_encode_lines: Final = msgspec.json.Encoder().encode_lines
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_DIGITS: Final = 309
"""A whole number with at least this many digits is too large for a double."""
_STEP: Final = 50
"""Only every fiftieth byte is checked first: a run of `_DIGITS` digits contains six of them."""
_RUN: Final = b"0" * (_DIGITS // _STEP)
_ZEROS: Final = bytes(ord("0") if byte in b"0123456789" else 0 for byte in range(256))
_HUGE: Final = re.compile(rb"[0-9]{%d}" % _DIGITS)


class Batch(Struct):
    """The contents of a batch of valid lines."""

    ids: list[str] = field(default_factory=list)
    fields_in_all_lines: frozenset[str] = FIELDS
    """The members of `FIELDS` that all their bodies have."""
    models: set[str] = field(default_factory=set)
    load: Load = field(default_factory=Load)
    size: int = 0
    """Bytes of the lines."""
    longest: int = 0
    """Bytes of the longest."""


def decode_batch(text: Text, fields: frozenset[str] = FIELDS) -> Batch | None:
    """Return the contents of a batch of lines, None if one is invalid or suspicious.

    Decoders silently drop the first of two equal keys. The decoded lines are therefore encoded again. If the bytes are
    not the same, the quotation marks are compared: their number does not depend on white space and escapes. `fields`
    are looked for in all bodies.
    """
    lines, found, written = split(text), Batch(fields_in_all_lines=fields), list[bytes]()
    found.size, found.longest = len(text) + 1 - len(lines), max(map(len, lines))
    one_list_each = len(text) < _SHORT * len(lines) and text.count(b"[") == len(lines)
    try:
        for at in range(0, len(lines), _LINES_AT_A_TIME):
            rows = [*map(_decode, lines[at : at + _LINES_AT_A_TIME])]
            written.append(_encode_lines(rows))
            found.ids += [row.custom_id for row in rows]
            bodies = [row.body for row in rows]
            names, messages = found.load.add(bodies, one_list_each=one_list_each)
            for name in found.fields_in_all_lines - ({"messages"} if messages else set()):
                if name not in names or False in [name in body for body in bodies]:
                    found.fields_in_all_lines -= {name}
            if "model" in names:
                found.models |= {name for body in bodies for name in model_of(body)}
    except DECODE_ERRORS:
        return None
    if not (_is(written, text) or _has_equal_marks(written, text)):
        return None
    return None if _RUN in text[::_STEP].translate(_ZEROS) and _HUGE.search(text) else found


def _is(written: Sequence[bytes], text: Text) -> bool:
    return sum(map(len, written)) == len(text) + 1 and b"".join(written) == text + b"\n"


def _has_equal_marks(written: Iterable[bytes], text: Text) -> bool:
    marks = text.count(b'"') + (text.count(rb"\u0022") if b"\\" in text else 0)
    return sum(it.count(b'"') for it in written) == marks and b"\r" not in text


def model_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the model that a body names, if any; "" for one that is not text."""
    model = body.get("model")
    return () if model is None else (model if isinstance(model, str) else "",)


def request(line: Text) -> tuple[str, Mapping[str, Any]]:
    """Return a line's custom_id and body; for a long line, only the fields of the body that are checked.

    Raises `DECODE_ERRORS` if it is not a request.
    """
    if len(line) <= MAX_LENGTH:
        short = _decode(line)
        return short.custom_id, short.body
    long = _decode_long(line)
    if not line.isascii():
        check_utf8(line)  # the decoder does not check skipped values
    left = len(line) - len(long.custom_id) - len(long.body)
    if left >= _KEYS_ONLY + _SHORTEST_REPEAT and repeats_a_key(line):
        raise msgspec.ValidationError
    fields = msgspec.structs.asdict(_decode_body(long.body)).items()
    given = ((name, value) for name, value in fields if value is not msgspec.UNSET)
    body = {name: True if name in FIELDS else value for name, value in given}
    return _decode_id(long.custom_id), body | LONG


def requests(
    texts: Iterable[Text], longest: float = math.inf
) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield the number, the custom_id and the body of every valid line of at most `longest` bytes."""
    lines = (line for text in texts for line in split(text))
    for number, line in enumerate(lines, start=1):
        if len(line) <= longest:
            with suppress(*DECODE_ERRORS):
                yield number, *request(line)

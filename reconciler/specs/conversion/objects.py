"""Split a file into JSON objects: one per line, in an array, or one after the other over several lines.

The file is streamed: memory is bounded by the longest object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from reconciler.specs.inputs.blocks import Blocks, split

_CHUNK: Final = 1 << 20
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
"""A whole string, a bracket, or the quotation mark of a string that goes on."""
_BETWEEN: Final = b" \t\r\n,[]"
"""What may stand between objects."""


class ObjectError(Exception):
    """A file cannot be split. The text is the message.

    Attributes:
        line: where, 1-based.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def objects(stream: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    """Yield each object with the number of its first line.

    Args:
        stream: the open file, at its beginning, after a byte order mark if there is one.
        longest: maximum bytes of an object.

    Raises:
        ObjectError: there is something else between objects, or an object is too long or does not end.
    """
    begin = stream.tell()
    first = split(next(iter(Blocks(stream, longest)), b""))[0]
    stream.seek(begin)
    try:
        msgspec.json.decode(first, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return _in_sequence(stream, longest)
    return _on_lines(stream, longest)


def _on_lines(stream: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    number = 0
    for piece in Blocks(stream, longest):
        for line in split(piece):
            number += 1
            if len(line) > longest:
                raise ObjectError(number, f"a line of more than {longest:,} bytes")
            if line.strip():
                yield number, bytes(line.strip())


def _in_sequence(stream: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    data, number, chunk = b"", 1, _CHUNK
    while True:
        more = stream.read(chunk)
        data += more
        used = 0
        for begin, end in _spans(data):
            number += _breaks(_gap(data[used:begin], number))
            yield number, data[begin:end]
            number += _breaks(data[begin:end])
            used = end
        data = data[used:]
        if not more:
            break
        chunk = (
            _CHUNK if used else chunk * 2
        )  # an object longer than a chunk is read again from its beginning
        if len(data) > longest + _CHUNK:
            raise ObjectError(number, f"an object of more than {longest:,} bytes")
    _gap(data, number)


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of every object that is whole."""
    depth = begin = 0
    for token in _TOKEN.finditer(data):
        if token[0] == b'"':
            return
        if token[0] == b"{" or (token[0] == b"[" and depth):
            begin = begin if depth else token.start()
            depth += 1
        elif depth and token[0] in (b"}", b"]"):
            depth -= 1
            if not depth:
                yield begin, token.end()


def _gap(data: bytes, number: int) -> bytes:
    """Return what stands between two objects, after checking that it is white space, commas and brackets."""
    if data.translate(None, _BETWEEN):
        lead = data[: len(data) - len(data.lstrip(_BETWEEN))]
        message = "an object that does not end" if b"{" in data else "not a JSON object"
        raise ObjectError(number + _breaks(lead), message)
    return data


def _breaks(data: bytes) -> int:
    return data.count(b"\n") or data.count(b"\r")

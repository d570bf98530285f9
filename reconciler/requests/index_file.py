"""The form of an index on disk: one line of JSON, then columns of numbers with one value for each request.

The line names the kind of index, its version, and what it was made from; a reader that expects anything else makes the
index again.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access

VERSION: Final = 1
_PLACE: Final = "columns"
MAX_HEAD_BYTES: Final = 16_000_000


def encode_index(head: Mapping[str, Any], columns: Mapping[str, bytes | array[int]]) -> bytes:
    """Return an index as bytes. Numbers are little-endian.

    Args:
        head: the facts in the first line.
        columns: bytes, or numbers.
    """
    parts = {name: _little(each) for name, each in columns.items()}
    sizes = {name: len(data) for name, data in parts.items()}
    return b"".join((msgspec.json.encode({"v": VERSION, **head, _PLACE: sizes}), b"\n", *parts.values()))


def read_index(path: Path) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """Return an index's first line and columns; None if there is none, it is damaged or of another version.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with file_access.open_to_read(path) as file:
            head = msgspec.json.decode(file.readline(MAX_HEAD_BYTES), type=dict[str, Any])
            sizes = msgspec.convert(head[_PLACE], dict[str, int])
            columns = {name: file.read(size) for name, size in sizes.items()}
    except (FileNotFoundError, KeyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    whole = head.get("v") == VERSION and all(len(columns[name]) == size for name, size in sizes.items())
    return (head, columns) if whole else None


def numbers(code: str, data: bytes) -> array[int]:
    """Return a column of numbers; `code` is that of `array`."""
    found = array(code, data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _little(column: bytes | array[int]) -> bytes:
    if isinstance(column, bytes):
        return column
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()

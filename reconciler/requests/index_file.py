"""The form of an index on disk: one line of JSON, columns of numbers with one value for each request, and a digest.

The line names the kind of index, its version, and what it was made from; a reader that expects anything else makes the
index again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access

VERSION: Final = 1
PART: Final = ".part"
"""Suffix of an incomplete file."""
_PLACE: Final = "columns"
MAX_HEAD_BYTES: Final = 16_000_000


def write_index(
    path: Path, head: Mapping[str, Any], columns: Mapping[str, bytes | bytearray | array[int]]
) -> None:
    """Write an index: the facts of its first line, and columns of bytes or numbers, all or nothing.

    Numbers are in the byte order of the machine, which the first line names. Raises `OSError` if it cannot be written.
    """
    sizes = {name: memoryview(each).nbytes for name, each in columns.items()}
    first = msgspec.json.encode({"v": VERSION, "order": sys.byteorder, **head, _PLACE: sizes}) + b"\n"
    pieces = (first, *columns.values())
    part = path.with_name(path.name + PART)
    with file_access.recreate(part) as file:
        for each in (*pieces, _digest(pieces)):
            file.write(each)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_head(path: Path) -> dict[str, Any]:
    """Return an index's first line alone, {} if there is none. Raises `OSError` if it cannot be read."""
    try:
        with file_access.open_to_read(path) as file:
            return msgspec.json.decode(file.readline(MAX_HEAD_BYTES), type=dict[str, Any])
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def read_index(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """Return an index's first line and columns; None if there is none, or it is damaged or of another kind or form.

    Raises `OSError` if it cannot be read.
    """
    try:
        with file_access.open_to_read(path) as file:
            first = file.readline(MAX_HEAD_BYTES)
            head = msgspec.json.decode(first, type=dict[str, Any])
            sizes = msgspec.convert(head[_PLACE], dict[str, int])
            columns = {name: file.read(size) for name, size in sizes.items()}
            whole = file.read() == _digest((first, *columns.values()))
    except (FileNotFoundError, KeyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    known = (head.get("index"), head.get("v"), head.get("order")) == (kind, VERSION, sys.byteorder)
    return (head, columns) if known and whole else None


def _digest(pieces: Iterable[bytes | bytearray | array[int]]) -> bytes:
    digest = hashlib.sha256()
    for each in pieces:
        digest.update(each)
    return digest.digest()

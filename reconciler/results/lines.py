"""The lines of a file, many at a time, in memory that the longest line bounds; what is longer is skipped and said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

BLOCK: Final = 1 << 20
"""Bytes that are read at a time."""
TOO_LONG: Final = b"\x00"
"""Stands for a line that is longer than a line may be; no JSON begins so."""


def blocks(stream: BinaryIO, *, longest: int) -> Iterator[list[bytes]]:
    """Yield the lines of a stream without their line feeds, some at a time.

    Args:
        stream: opened for reading bytes.
        longest: bytes of a line at most; `TOO_LONG` stands for a longer one.
    """
    rest: list[bytes] = []
    size = 0
    while block := stream.read(BLOCK):
        head, feed, tail = block.partition(b"\n")
        if size <= longest:
            rest.append(head)
        size += len(head)
        if not feed:
            continue
        first = b"".join(rest) if size <= longest else TOO_LONG
        lines = tail.split(b"\n")
        last = lines.pop()
        rest, size = [last], len(last)
        yield [first, *lines]
    if size:
        yield [b"".join(rest) if size <= longest else TOO_LONG]

"""Read the lines of a file in blocks. Memory is bounded: a line over the limit is replaced by `TOO_LONG`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

BLOCK: Final = 1 << 20
"""Bytes per read."""
TOO_LONG: Final = b"\x00"
"""Replaces a line over the limit. No JSON text begins with this byte."""


def blocks(stream: BinaryIO, *, longest: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the lines of a stream without their line feeds, in blocks. `TOO_LONG` replaces one above `longest` bytes.

    Before each block is how many more bytes its first line has in the stream than in the list.
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
        skipped = size - len(first)
        rest, size = [last], len(last)
        yield skipped, [first, *lines]
    if size:
        first = b"".join(rest) if size <= longest else TOO_LONG
        yield size - len(first), [first]

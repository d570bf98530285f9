"""Read a file once as pieces of whole lines, and hash it; memory is bounded by its longest line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

BLOCK: Final = 4 * 1024 * 1024
"""Bytes read and hashed at a time. With smaller blocks the hashing thread waits for the interpreter's lock."""

PIECE: Final = range(8 * 1024, 128 * 1024)
"""Bytes of a piece: large enough to amortize a call, small enough for the processor's cache."""
MAX_PIECES_TOGETHER: Final = 256
"""Approximate number of lines in a piece."""

Text: TypeAlias = "bytes | bytearray"
"""One or more lines, without the final line feed."""


def split(text: Text) -> list[Text]:
    """Return the lines of a piece."""
    return [*text.split(b"\n")] if b"\n" in text else [text]  # one line may be long: no copy


def pieces(
    stream: BinaryIO,
    longest: int,
    *,
    update: Callable[[bytes], object] = lambda _: None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Text]:
    """Yield the lines of an open file, several at a time.

    A line of more than `longest` bytes is truncated, and reading stops. `update` gets each block, to hash it, and
    `on_progress` the number of bytes just read.
    """

    def hashed(pool: ThreadPoolExecutor) -> Iterator[bytes]:
        """Hash each block in a thread while its lines are processed: hashlib releases the interpreter's lock."""
        while block := stream.read(BLOCK):
            if len(block) < BLOCK:  # not worth a thread
                update(block)
                yield block
            else:
                hashing = pool.submit(update, block)
                yield block
                hashing.result()
            on_progress(len(block))

    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not every input is a file

    with ThreadPoolExecutor(1) as pool:  # starts its thread with the first submitted block
        yield from _pieces(hashed(pool), longest)


def _pieces(blocks: Iterator[bytes], longest: int) -> Iterator[Text]:
    rest = bytearray()
    for block in blocks:
        begin, last = 0, block.rfind(b"\n")
        if rest and last >= 0:
            begin = block.find(b"\n") + 1
            rest += block[: begin - 1]
            yield rest
            rest = bytearray()
        first = block.find(b"\n", begin) - begin
        size = min(max(first * MAX_PIECES_TOGETHER, PIECE.start), PIECE.stop)
        while begin <= last:
            end = block.rfind(b"\n", begin, begin + size)
            if end < 0:
                end = block.find(b"\n", begin + size)
            yield block[begin:end]
            begin = end + 1
        rest += block[begin:]
        if len(rest) > longest:
            break
    if rest:
        yield rest

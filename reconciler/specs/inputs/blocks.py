"""A file as pieces of whole lines, read once and hashed on the way, in memory that its longest line bounds.

Only regular files are opened: a pipe would make a run wait for ever, whatever the path led to a moment ago.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final, TypeAlias

BLOCK: Final = 4 * 1024 * 1024
"""Bytes that are read and hashed at a time. Smaller ones make the hashing thread wait for the interpreter's lock."""

PIECE: Final = range(8 * 1024, 128 * 1024)
"""Bytes of a piece: enough to be worth a call, few enough for the processor's cache."""
AT_ONCE: Final = 256
"""Lines of a piece, roughly."""

Text: TypeAlias = "bytes | bytearray"
"""One line or more of them, without the last one's line feed."""


def split(text: Text) -> list[Text]:
    """Return the lines of a piece."""
    return [*text.split(b"\n")] if b"\n" in text else [text]  # one line may be long: no copy


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = os.fdopen(os.open(path, flags), "rb", buffering=0)  # itself refuses a folder
    if not S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(0, "not a regular file", str(path))
    return stream


def _nobody(_: int) -> None:
    pass


class Blocks:
    """The lines of one open file, some at a time.

    A line longer than `longest` is cut and ends the reading.

    Args:
        stream: the open file.
        longest: bytes of a line at most.
        hashed: whether the digest is wanted.
        heard: is told how many bytes more were read.

    Attributes:
        sha256: of what was read, once the reading is over.
    """

    def __init__(
        self,
        stream: BinaryIO,
        longest: int,
        *,
        hashed: bool = True,
        heard: Callable[[int], object] = _nobody,
    ) -> None:
        self._stream = stream
        self._longest = longest
        self._hashed = hashed
        self._heard = heard
        self.sha256 = ""

    def __iter__(self) -> Iterator[Text]:
        if not self._hashed:
            yield from self._pieces(self._read())
            return
        digest = hashlib.sha256()
        with ThreadPoolExecutor(1) as pool:  # makes its thread with the first block that is handed over
            yield from self._pieces(self._beside(pool, digest.update))
        self.sha256 = digest.hexdigest()

    def _read(self) -> Iterator[bytes]:
        while block := self._stream.read(BLOCK):
            yield block
            self._heard(len(block))

    def _beside(self, pool: ThreadPoolExecutor, update: Callable[[bytes], None]) -> Iterator[bytes]:
        """Hash each block beside the work on its lines: hashlib lets go of the interpreter's lock."""
        for block in self._read():
            if len(block) < BLOCK:  # not worth a thread
                update(block)
                yield block
            else:
                hashing = pool.submit(update, block)
                yield block
                hashing.result()

    def _pieces(self, blocks: Iterator[bytes]) -> Iterator[Text]:
        rest = bytearray()
        for block in blocks:
            begin, last = 0, block.rfind(b"\n")
            if rest and last >= 0:
                begin = block.find(b"\n") + 1
                rest += block[: begin - 1]
                yield rest
                rest = bytearray()
            first = block.find(b"\n", begin) - begin
            size = min(max(first * AT_ONCE, PIECE.start), PIECE.stop)
            while begin <= last:
                end = block.rfind(b"\n", begin, begin + size)
                if end < 0:
                    end = block.find(b"\n", begin + size)
                yield block[begin:end]
                begin = end + 1
            rest += block[begin:]
            if len(rest) > self._longest:
                break
        if rest:
            yield rest

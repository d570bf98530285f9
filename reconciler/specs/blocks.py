"""A file as lists of its lines, read once and hashed on the way, in memory that its longest line bounds.

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

Line: TypeAlias = "bytes | bytearray"
Lines: TypeAlias = "tuple[list[Line], Line]"
"""Some lines without their line feeds, and the text that they are cut from."""


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


class Blocks:
    """The lines of one open file, some for each block that is read.

    A line longer than `longest` is cut and ends the reading.

    Attributes:
        sha256: of what was read, once the reading is over.
    """

    def __init__(self, stream: BinaryIO, longest: int, *, hashed: bool = True) -> None:
        self._stream = stream
        self._longest = longest
        self._hashed = hashed
        self.sha256 = ""

    def __iter__(self) -> Iterator[Lines]:
        if not self._hashed:
            yield from self._lines(self._read())
            return
        digest = hashlib.sha256()
        with ThreadPoolExecutor(1) as pool:  # makes its thread with the first block that is handed over
            yield from self._lines(self._beside(pool, digest.update))
        self.sha256 = digest.hexdigest()

    def _read(self) -> Iterator[bytes]:
        while block := self._stream.read(BLOCK):
            yield block

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

    def _lines(self, blocks: Iterator[bytes]) -> Iterator[Lines]:
        rest = bytearray()
        for block in blocks:
            feed = block.find(b"\n")
            if feed < 0:
                rest += block
                if len(rest) > self._longest:
                    break
                continue
            if rest:
                rest += block[:feed]
                yield [rest], rest
            else:
                feed = -1
            last = block.rfind(b"\n")
            rest = bytearray(block[last + 1 :])
            if last > feed:
                text = block[feed + 1 : last]
                yield [*text.split(b"\n")], text
            if len(rest) > self._longest:
                break
        if rest:
            yield [rest], rest

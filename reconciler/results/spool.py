"""A temporary file with the lines of the joined results in the order of the answers, and an index of them.

Memory per line is a hash of its custom_id, its offset and its kind: some 130 bytes, regardless of the length of ids and
answers. Every line begins with its custom_id, so a hash collision is detected.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, compress
from typing import BinaryIO, Final

from reconciler.results.answers import encode

WINDOW: Final = 1 << 18
"""Bytes that are read around a line if the previous one was near."""


class Spool:
    """Lines on disk, indexed by custom_id.

    Args:
        file: an empty file, open for reading and writing, unbuffered.
        mark: hashes an id.
    """

    def __init__(self, file: BinaryIO, mark: Callable[[str], int] = hash) -> None:
        self._file = file
        self._mark = mark
        self._count = 0
        self._lines: list[bytes] = []
        """Lines that are not written yet."""
        self._places: dict[int, int] = {}
        self._shared: dict[str, int] = {}
        """Ids whose hash an earlier id has."""
        self._starts = array("Q", [0])
        self._kinds = array("H")
        self._codes: dict[str, int] = {}
        self._popped = bytearray()
        self._window = b""
        self._from = 0

    def __len__(self) -> int:
        return self._count

    def add(self, custom_id: str, kind: str, line: bytes) -> bool:
        """Add a line, which begins with its custom_id. Return False, and add nothing, if the id has a line already."""
        at = self._count
        if self._places.setdefault(self._mark(custom_id), at) != at:
            self.flush()
            if self.place(custom_id) is not None:
                return False
            self._shared[custom_id] = at
        self._count = at + 1
        if kind not in self._codes:
            self._codes[kind] = len(self._codes)
        self._kinds.append(self._codes[kind])
        self._lines.append(line)
        return True

    def flush(self) -> None:
        """Write the lines added since the last call."""
        if self._lines:
            offsets = accumulate(map(len, self._lines), initial=self._starts.pop())
            self._starts.extend(offsets)
            data = memoryview(b"".join(self._lines))
            self._lines.clear()
            while data:
                data = data[self._file.write(data) :]

    def place(self, custom_id: str) -> int | None:
        """Return the number of a custom_id's line, None if it has none."""
        at = self._places.get(self._mark(custom_id))
        if at is None or begins(self.line(at), custom_id):
            return at
        return self._shared.get(custom_id)

    def pop_line(self, custom_id: str) -> bytes | None:
        """Return a custom_id's line and mark it as used, None if it has none. Call `finish_writing` first."""
        at = self._places.get(self._mark(custom_id))
        if at is None:
            return None
        line = self.line(at)
        if not begins(line, custom_id):
            at = self._shared.get(custom_id)
            if at is None:
                return None
            line = self.line(at)
        self._popped[at] = 1
        return line

    def line(self, at: int) -> bytes:
        """Return a written line by its number."""
        start, end = self._starts[at], self._starts[at + 1]
        begin = self._from
        if begin <= start and end <= begin + len(self._window):
            return self._window[start - begin : end - begin]
        return self._read(start, end)

    def _read(self, start: int, end: int) -> bytes:
        """Read a line, and the bytes around it if the previous one was near."""
        near = abs(start - self._from) < 2 * WINDOW
        begin = max(0, start - WINDOW // 2) if near else start
        size = max(end, start + WINDOW) - begin if near else end - start
        self._file.seek(begin)
        parts = []
        while size > 0 and (piece := self._file.read(size)):
            parts.append(piece)
            size -= len(piece)
        self._window = b"".join(parts)
        self._from = begin
        return self._window[start - begin : end - begin]

    def finish_writing(self) -> None:
        """Write the last lines, and begin to serve `pop_line`."""
        self.flush()
        self._popped = bytearray(len(self))

    def popped_by_kind(self) -> dict[str, int]:
        """Count the used lines by kind."""
        return self._named(Counter(compress(self._kinds, self._popped)))

    def all_by_kind(self) -> dict[str, int]:
        """Count all lines by kind."""
        return self._named(Counter(self._kinds))

    def _named(self, counts: Counter[int]) -> dict[str, int]:
        return {kind: counts[code] for kind, code in self._codes.items() if counts[code]}


_BEFORE: Final = len(b'{"custom_id":"')


def begins(line: bytes, custom_id: str) -> bool:
    """Return whether a line of the joined results is that of a custom_id."""
    if line.startswith(b'%b",' % custom_id.encode(), _BEFORE):  # fast path: most ids need no escape
        return True
    return line.startswith(b'{"custom_id":%b,' % encode(custom_id))

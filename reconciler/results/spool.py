"""Lines of the joined results in the order of the answers, on disk, and where each of them stands.

What is kept in memory of a line is a hash of its custom_id, its place and its kind: some 130 bytes, however long
ids and answers are. Every line begins with its custom_id, so a hash that two ids share does no harm.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, compress
from typing import BinaryIO, Final

from reconciler.results.answers import encode

WINDOW: Final = 1 << 18
"""Bytes around a line that are read with it, where the line before stood near."""


class Spool:
    """Lines by custom_id.

    Args:
        file: empty, for reading and writing, without a buffer.
        mark: makes a number of an id.
    """

    def __init__(self, file: BinaryIO, mark: Callable[[str], int] = hash) -> None:
        self._file = file
        self._mark = mark
        self._count = 0
        self._lines: list[bytes] = []
        """What is not written yet."""
        self._places: dict[int, int] = {}
        self._shared: dict[str, int] = {}
        """Those whose hash another id has."""
        self._starts = array("Q", [0])
        self._kinds = array("H")
        self._codes: dict[str, int] = {}
        self._popped = bytearray()
        self._window = b""
        self._from = 0

    def __len__(self) -> int:
        return self._count

    def add(self, custom_id: str, kind: str, line: bytes) -> bool:
        """Take a line, which begins with its custom_id; False where there is one of that id, and nothing is done."""
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
        """Write what was taken."""
        if self._lines:
            offsets = accumulate(map(len, self._lines), initial=self._starts.pop())
            self._starts.extend(offsets)
            data = memoryview(b"".join(self._lines))
            self._lines.clear()
            while data:
                data = data[self._file.write(data) :]

    def place(self, custom_id: str) -> int | None:
        """Return which line a custom_id has, None where it has none."""
        at = self._places.get(self._mark(custom_id))
        if at is None or begins(self.line(at), custom_id):
            return at
        return self._shared.get(custom_id)

    def pop_line(self, custom_id: str) -> bytes | None:
        """Return a custom_id's line and mark it as used, None where there is none; once everything is written."""
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
        """Return a line that was written."""
        start, end = self._starts[at], self._starts[at + 1]
        begin = self._from
        if begin <= start and end <= begin + len(self._window):
            return self._window[start - begin : end - begin]
        return self._read(start, end)

    def _read(self, start: int, end: int) -> bytes:
        """Read a line, and what stands around it where lines are asked for that stand near each other."""
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
        """Write the last lines: from here on they are taken."""
        self.flush()
        self._popped = bytearray(len(self))

    def popped_by_kind(self) -> dict[str, int]:
        """Count the lines that were taken, by kind."""
        return self._named(Counter(compress(self._kinds, self._popped)))

    def all_by_kind(self) -> dict[str, int]:
        """Count all lines by kind."""
        return self._named(Counter(self._kinds))

    def _named(self, counts: Counter[int]) -> dict[str, int]:
        return {kind: counts[code] for kind, code in self._codes.items() if counts[code]}


_BEFORE: Final = len(b'{"custom_id":"')


def begins(line: bytes, custom_id: str) -> bool:
    """Tell whether a line of the joined results is that of a custom_id."""
    if line.startswith(b'%b",' % custom_id.encode(), _BEFORE):  # as most ids are: nothing in them is escaped
        return True
    return line.startswith(b'{"custom_id":%b,' % encode(custom_id))

"""A temporary file with the lines of the joined results in the order of the answers, and an index of them.

Memory per line is its custom_id, its offset and its kind, regardless of the length of the answer.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate, compress
from typing import BinaryIO

from reconciler.results.answers import RANK


class Spool:
    """Lines on disk, indexed by custom_id.

    Args:
        file: an empty file, open for reading and writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: list[bytes] = []
        """Lines that are not written yet."""
        self._places: dict[str, int] = {}
        self._starts = array("Q", [0])
        self._kinds: list[str] = []
        self._taken = bytearray()
        self.repeated = 0
        """Lines for a custom_id that had a line before."""

    @property
    def custom_ids(self) -> Iterable[str]:
        """Every custom_id that has a line, in the order of their first lines."""
        return self._places

    def add(self, custom_id: str, kind: str, line: bytes) -> bool:
        """Add a line. Return False, and add nothing, if its custom_id has a line that is as good."""
        at = len(self._kinds)
        known = self._places.setdefault(custom_id, at)
        if known != at:
            self.repeated += 1
            if RANK.get(kind, 0) <= RANK.get(self._kinds[known], 0):
                return False
            self._places[custom_id] = at
        self._kinds.append(kind)
        self._lines.append(line)
        return True

    def flush(self) -> None:
        """Write the lines added since the last call."""
        self._starts.extend(accumulate(map(len, self._lines), initial=self._starts.pop()))
        self._file.write(b"".join(self._lines))
        self._lines.clear()
        self._taken.extend(bytes(len(self._kinds) - len(self._taken)))

    def take(self, custom_id: str) -> tuple[str, bytes] | None:
        """Return the kind of a custom_id's line and the line, None if it has none. Call `flush` first."""
        at = self._places.get(custom_id)
        if at is None:
            return None
        self._taken[at] = 1
        start, end = self._starts[at], self._starts[at + 1]
        self._file.seek(start)
        return self._kinds[at], self._file.read(end - start)

    def taken_by_kind(self) -> Counter[str]:
        """Count the taken lines by kind."""
        return Counter(compress(self._kinds, self._taken))

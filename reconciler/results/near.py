"""Answers that stand about where their requests do: those that were read and not asked for yet are kept in memory.

This is for requests of which no two have one custom_id, which a check has made sure of, and for joins in which each
request has one answer and each answer one request. Whatever else there is (a request without an answer, two answers for
one, answers so far from their requests that they do not fit into memory) is not sorted out here but raised, and the
join begins again with a spool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from reconciler.results import answers
from reconciler.results.answers import Usage
from reconciler.results.lines import blocks
from reconciler.results.stopping import Beat

WINDOW: Final = 1 << 25
"""Bytes of lines that are kept at most, beside what is read at a time."""


class ApartError(Exception):
    """Requests and answers do not stand near each other one by one."""


@dataclass(frozen=True, slots=True)
class _File:
    blocks: Iterator[list[bytes]]
    failed: bool
    """Whether it is the error file."""


class Near:
    """Lines of the joined results by custom_id, each for the first who takes it.

    Args:
        files: the result files, opened for reading bytes, and of each whether it is the error file.
        window: bytes of lines that are kept at most.
        longest: bytes of a line at most.
        beat: called again and again; raises to end it all.
    """

    def __init__(
        self, files: Sequence[tuple[BinaryIO, bool]], *, window: int, longest: int, beat: Beat
    ) -> None:
        self.kinds: defaultdict[str, int] = defaultdict(int)
        """How many answers were read, by kind."""
        self.malformed = 0
        self.usage = Usage()
        self._unread = [_File(blocks(file, longest=longest), failed) for file, failed in files]
        self._window = window
        self._beat = beat
        self._kept: dict[str, bytes] = {}
        self._size = 0
        """Bytes of the lines that are kept."""

    def take(self, custom_id: str) -> bytes:
        """Return a custom_id's line, for which nobody has asked before.

        Raises:
            ApartError: there is none near by.
        """
        line = self._kept.pop(custom_id, None)
        if line is None:
            line = self._found(custom_id)
        self._size -= len(line)
        return line

    def end(self) -> None:
        """Make sure that every answer was taken.

        Raises:
            ApartError: one was not.
        """
        while self._unread and not self._kept:
            self._read(self._unread[0])
        if self._kept:
            raise ApartError

    def _found(self, custom_id: str) -> bytes:
        """Read on, from the files in turns, until a custom_id has a line."""
        while self._unread and self._size <= self._window:
            for file in tuple(self._unread):
                self._read(file)
                line = self._kept.pop(custom_id, None)
                if line is not None:
                    return line
        raise ApartError

    def _read(self, file: _File) -> None:
        """Read the next lines of a file."""
        self._beat()
        lines = next(file.blocks, None)
        if lines is None:
            self._unread.remove(file)
            return
        understood, refused, null = answers.understood, answers.REFUSED, answers.NULL
        keep, kinds, count, failed = self._kept.setdefault, self.kinds, self.usage.add, file.failed
        for line in lines:
            try:
                custom_id, kind, text, body = understood(line, failed=failed)
            except refused:
                self.malformed += bool(line.strip())
                continue
            if keep(custom_id, text) is not text:
                raise ApartError
            self._size += len(text)
            kinds[kind] += 1
            if body is not null:
                count(body)

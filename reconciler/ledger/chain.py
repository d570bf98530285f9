"""The chain of segments in an object store: each names the SHA-256 of the one before, in its first line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

_FIRST: Final = b'{"segment":'
"""The beginning of each segment's first line. No line of a ledger begins like this."""


class BrokenChainError(Exception):
    """A segment does not continue the one before, or is none."""


class Tip(NamedTuple):
    """The last of some segments, and so all of them. Its text names it among the tips of any shared ledger."""

    number: int = 0
    """From 1 on; 0 if there is no segment."""
    sha256: str = ""

    def __str__(self) -> str:
        """Return the text, "" if there is no segment."""
        return f"{self.number}-{self.sha256}" if self.number else ""

    @staticmethod
    def parse(text: str) -> Tip:
        """Return the tip that a text names."""
        number, _, sha256 = text.partition("-")
        return Tip(int(number), sha256) if text else Tip()


class _FirstLine(Struct, frozen=True):
    segment: int
    before: str
    """The SHA-256 of the segment before, "" for the first."""
    by: str = ""
    """The run that wrote it, and what for."""
    nonce: str = ""
    """So that a writer knows its own segment again."""


def segment(after: Tip, rows: Sequence[bytes], *, by: str, nonce: str) -> bytes:
    """Return the bytes of the segment that continues a tip with the text of lines."""
    first = msgspec.json.encode(_FirstLine(segment=after.number + 1, before=after.sha256, by=by, nonce=nonce))
    return b"".join(row + b"\n" for row in (first, *(row for row in rows if not row.startswith(_FIRST))))


def follow(tip: Tip, rows: Iterable[bytes]) -> Tip:
    """Return the last of some segments that continue a tip, from their rows with line feeds.

    Raises `BrokenChainError` if one does not continue the one before.
    """
    digest, row = None, b""
    for row in rows:
        if row.startswith(_FIRST):
            if digest:
                tip = Tip(tip.number, digest.hexdigest())
            tip = _next(tip, row)
            digest = hashlib.sha256()
        if digest is None:
            raise BrokenChainError("no segment of a ledger")
        digest.update(row)
    if digest is None or not row.endswith(b"\n"):
        raise BrokenChainError("not a whole segment")
    return Tip(tip.number, digest.hexdigest())


def _next(tip: Tip, row: bytes) -> Tip:
    try:
        first = msgspec.json.decode(row, type=_FirstLine)
    except ValueError as error:
        raise BrokenChainError("no segment of a ledger") from error
    if first.segment != tip.number + 1:
        raise BrokenChainError(f"segment {first.segment} where {tip.number + 1} should be")
    if first.before != tip.sha256:
        raise BrokenChainError(f"it does not continue segment {tip.number} as it is now")
    return Tip(first.segment)


def sha256(data: bytes | None) -> str:
    """Return the SHA-256 of a segment, "" without one."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def lines_only(data: bytes) -> bytes:
    """Return whole rows without the first lines of segments."""
    before, *segments = (b"\n" + data).split(b"\n" + _FIRST)  # many times faster than a regular expression
    return b"\n".join((before, *(it.partition(b"\n")[2] for it in segments)))[1:]


def begins(row: bytes) -> int:
    """Return the number of the segment that a row begins, 0 if it is a line of the ledger."""
    return msgspec.json.decode(row, type=_FirstLine).segment if row.startswith(_FIRST) else 0

"""Size, hash and number of lines of a complete file on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from msgspec import Struct

from reconciler import file_access
from reconciler.outputs.leases import Heartbeat

PIECE: Final = 1 << 20
"""Bytes per read, and how many more bytes count as progress of a download that breaks off again and again."""


class Fetched(Struct, frozen=True, kw_only=True):
    """A complete file on this machine."""

    size: int
    """Bytes."""
    sha256: str
    lines: int
    resumed_at: int | None = None
    """The offset at which the API resumed; None if it sent the whole file, or nothing was missing."""


class Digest:
    """Size, hash and number of lines of bytes that are added piece by piece."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0
        self._lines = 0
        self._last = b"\n"

    def add(self, piece: bytes) -> None:
        """Add the next bytes."""
        if piece:
            self._sha256.update(piece)
            self.size += len(piece)
            self._lines += piece.count(b"\n")
            self._last = piece[-1:]

    def result(self, *, resumed_at: int | None = None) -> Fetched:
        """Return the totals; a last line without a line feed counts as a line."""
        lines = self._lines + (self._last != b"\n")
        return Fetched(size=self.size, sha256=self._sha256.hexdigest(), lines=lines, resumed_at=resumed_at)


def read(path: Path, heartbeat: Heartbeat) -> Digest:
    """Read a local file."""
    digest = Digest()
    with file_access.open_to_read(path, buffering=0) as file:
        while piece := file.read(PIECE):
            digest.add(piece)
            heartbeat()
    return digest

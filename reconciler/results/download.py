"""One file of the workspace onto this machine: streamed, continued after a break or a kill, renamed when it is whole.

Result files never change, so what is here already is a beginning of the whole. Where the API does not continue (it
is documented nowhere whether it does), the file is sent from its first byte again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.api.client import Reader
from reconciler.api.errors import (
    ApiError,
    MalformedAnswerError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
)
from reconciler.api.retry import Retrier
from reconciler.results.heartbeat import Beat

PART: Final = ".part"
"""What the name of a file that is not whole yet ends in."""
PIECE: Final = 1 << 20
"""Bytes that are read at a time."""
RANGE_NOT_SATISFIABLE: Final = 416
"""There are no bytes from there on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole file on this machine."""

    size: int
    """Bytes."""
    sha256: str
    lines: int
    resumed_at: int | None = None
    """The byte at which the API continued; None where it sent the whole file, or nothing had to be sent."""


class Digest:
    """What is known of bytes that were written one after the other."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0
        self._lines = 0
        self._last = b"\n"

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        if piece:
            self._sha256.update(piece)
            self.size += len(piece)
            self._lines += piece.count(b"\n")
            self._last = piece[-1:]

    def result(self, *, resumed_at: int | None = None) -> Fetched:
        """Return what the bytes amount to; a last line without its line feed is a line."""
        lines = self._lines + (self._last != b"\n")
        return Fetched(size=self.size, sha256=self._sha256.hexdigest(), lines=lines, resumed_at=resumed_at)


def read(path: Path, beat: Beat) -> Digest:
    """Read a file that is here."""
    digest = Digest()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            digest.add(piece)
            beat()
    return digest


def fetch(reader: Reader, retrier: Retrier, file_id: str, place: Path, *, beat: Beat) -> Fetched:
    """Bring a file to its place.

    Args:
        reader: what to read with.
        retrier: says whether and when a broken download goes on.
        file_id: the file's.
        place: where it is to be; beside it, with `PART` at the end, it is made.
        beat: called again and again; raises to end it all.

    Raises:
        NotFoundError: the workspace does not have it, or no longer.
        ApiError: it could not be had; what came of it stays for the next time.
        OSError: it cannot be written.
    """
    if place.exists():
        return read(place, beat).result()
    described = reader.get_file(file_id)
    if described.deleted:
        raise NotFoundError("it was deleted", status=404)
    part = place.with_name(place.name + PART)
    download = Download(reader, file_id, part, expected=described.size, beat=beat)
    failures = 0
    while True:
        before = download.here()
        try:
            digest, went_on = download.go_on()
        except ApiError as error:
            failures = 1 if download.here() > before else failures + 1
            beat()
            retrier.wait(error, attempt=failures)
            continue
        part.replace(place)
        return digest.result(resumed_at=went_on)


class Download:
    """A file on its way, one try at a time."""

    def __init__(self, reader: Reader, file_id: str, part: Path, *, expected: int | None, beat: Beat) -> None:
        self._reader = reader
        self._file_id = file_id
        self._part = part
        self._expected = expected
        self._beat = beat

    def here(self) -> int:
        """Return how many bytes of it are here."""
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def go_on(self) -> tuple[Digest, int | None]:
        """Fetch what is missing, and return what the whole amounts to and where the API went on.

        Raises:
            ApiError: it broke off; what came of it stays.
        """
        here = self.here()
        if here and here == self._expected:
            return read(self._part, self._beat), None
        if here and (self._expected is None or here < self._expected):
            try:
                return self._receive(here)
            except (MalformedAnswerError, RejectedError) as error:
                if error.status not in (None, RANGE_NOT_SATISFIABLE):
                    raise
        return self._receive(0)

    def _receive(self, here: int) -> tuple[Digest, int | None]:
        with self._reader.file_from(self._file_id, start=here) as content:
            digest = read(self._part, self._beat) if content.start else Digest()
            if not content.start:  # a new file: whoever may still write to the old one spoils nothing
                self._part.unlink(missing_ok=True)
                self._part.touch()
            with self._part.open(
                "r+b", buffering=0
            ) as file:  # not to its end, which such a one may have moved
                file.seek(content.start)
                for piece in content.pieces:
                    _write(file.write, piece)
                    digest.add(piece)
                    self._beat()
                os.fsync(file.fileno())
        whole = self._expected if content.size is None else content.size
        if whole is not None and digest.size < whole:
            raise OutcomeUnknownError(
                f"the file ended after {digest.size:,} of {whole:,} bytes", transient=True
            )
        return digest, content.start or None


def _write(write: Callable[[memoryview], int | None], piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[write(rest) or 0 :]

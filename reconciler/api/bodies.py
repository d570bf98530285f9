"""Bodies: a file on its way to the API, and the answers of the API.

A file is read in pieces, hashed while it is read, and never longer than announced.

The client asks for no compression, and takes an answer as it is or out of one layer of gzip. httpx would decode as many
layers as an answer names, and each multiplies the size of a piece that was received; one layer of gzip makes at most a
thousand bytes of one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import httpx

from reconciler.api.errors import MalformedAnswerError
from reconciler.errors import ReconcilerError, explaining
from reconciler.text.plural import pluralize


def pieces(answer: httpx.Response) -> Iterator[bytes]:
    """Return an answer's body, in pieces.

    Raises `MalformedAnswerError` if it is compressed more than once, or in another way than gzip.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise MalformedAnswerError(
            f"the answer has the content encoding {encoding!r}, and none was asked for"
        )
    return answer.iter_bytes()


@dataclass(eq=False, kw_only=True)
class HashingReader:
    """The part of a file that httpx's multipart encoder uses. It hashes the bytes that the encoder reads.

    The length is announced before the first byte is sent. A file that has grown since is cut at that length, so its
    hash differs from the planned one. A file that has shrunk ends the request, and the server drops the upload.
    """

    file: BinaryIO
    """Opened for reading bytes; read from its current position."""
    size: int
    """How many bytes to send."""
    name: str
    """For error messages."""
    on_progress: Callable[[int], object] | None = None
    """Called with the number of bytes of each piece."""

    def __post_init__(self) -> None:
        self._left = self.size
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read so far, lower-case hexadecimal."""
        return self._hash.hexdigest()

    def tell(self) -> int:
        """Return how many bytes have been read. The encoder learns the length from `tell` and `seek`."""
        return self.size - self._left

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the position of `offset` without moving: the encoder only measures, then rewinds before it reads."""
        return self.size + offset if whence == os.SEEK_END else offset

    def read(self, most: int) -> bytes:
        """Return the next bytes, b"" after the last.

        Raises `ReconcilerError` if the file cannot be read or ends before its announced length.
        """
        with explaining(f"{self.name}: cannot be read", hint=""):
            piece = self.file.read(min(most, self._left))
        if self._left and not piece:
            raise ReconcilerError(
                f"{self.name}: became {pluralize(self._left, 'byte')} shorter during the upload",
                hint="do not change input files during an apply; apply again",
            )
        self._left -= len(piece)
        self._hash.update(piece)
        if self.on_progress is not None:
            self.on_progress(len(piece))
        return piece

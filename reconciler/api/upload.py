"""A file being uploaded: read in pieces, hashed while it is read, never longer than announced."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO

from reconciler.errors import ReconcilerError
from reconciler.text.plural import pluralize


class HashingReader:
    """The part of a file that httpx's multipart encoder uses. It hashes the bytes that the encoder reads.

    The length is announced before the first byte is sent. A file that has grown since is cut at that length, so its
    hash differs from the planned one. A file that has shrunk ends the request, and the server drops the upload.

    Args:
        file: opened for reading bytes; read from its current position.
        size: how many bytes to send.
        name: for error messages.
        on_progress: called with the number of bytes of each piece.
    """

    def __init__(
        self, file: BinaryIO, *, size: int, name: str, on_progress: Callable[[int], object] | None = None
    ) -> None:
        self._file = file
        self._on_progress = on_progress
        self._size = size
        self._left = size
        self._name = name
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read so far, lower-case hexadecimal."""
        return self._hash.hexdigest()

    def tell(self) -> int:
        """Return how many bytes have been read. The encoder learns the length from `tell` and `seek`."""
        return self._size - self._left

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the position of `offset` without moving: the encoder only measures, then rewinds before it reads."""
        return self._size + offset if whence == os.SEEK_END else offset

    def read(self, most: int) -> bytes:
        """Return the next bytes, b"" after the last.

        Raises:
            ReconcilerError: the file cannot be read or ends before its announced length.
        """
        try:
            piece = self._file.read(min(most, self._left))
        except OSError as error:
            raise ReconcilerError(f"{self._name}: cannot be read: {error.strerror}") from error
        if self._left and not piece:
            raise ReconcilerError(
                f"{self._name}: became {pluralize(self._left, 'byte')} shorter during the upload",
                hint="do not change input files during an apply; apply again",
            )
        self._left -= len(piece)
        self._hash.update(piece)
        if self._on_progress is not None:
            self._on_progress(len(piece))
        return piece

"""A file on its way out: read in pieces, hashed as it goes, never longer than announced."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO

from reconciler.errors import ReconcilerError
from reconciler.text.plural import count


class Outgoing:
    """What httpx's multipart encoder asks of a file, with a hash of what it was given.

    The length is announced before the first byte leaves. A file that has grown since is cut there, so its hash
    differs from the planned one; a file that has become shorter ends the request, which the server then drops.

    Args:
        file: opened for reading bytes; read from where it stands.
        size: how many bytes are to be sent.
        name: for error messages.
        heard: is told of each piece's bytes.
    """

    def __init__(
        self, file: BinaryIO, *, size: int, name: str, heard: Callable[[int], object] | None = None
    ) -> None:
        self._file = file
        self._heard = heard
        self._size = size
        self._left = size
        self._name = name
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the bytes read so far, lower-case hexadecimal."""
        return self._hash.hexdigest()

    def tell(self) -> int:
        """Return how far it has been read; with `seek` this is how the encoder learns the length."""
        return self._size - self._left

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return where `offset` would be. Nothing moves: the encoder only measures, and rewinds before it reads."""
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
                f"{self._name}: became {count(self._left, 'byte')} shorter while it was sent",
                hint="leave input files alone during an apply, then apply again",
            )
        self._left -= len(piece)
        self._hash.update(piece)
        if self._heard is not None:
            self._heard(len(piece))
        return piece

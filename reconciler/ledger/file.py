"""The ledger on disk: one append-only file of JSON lines per target.

An append is durable (fsync) before it returns. A crash may cut off the last line; the next append begins a new one, and
reading skips the incomplete line. That is safe because nothing is sent before its line is durable. An operating-system
lock, which a crash releases, allows one writer at a time on this host.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

from reconciler import file_access
from reconciler.errors import LedgerError, explaining
from reconciler.ledger.line_format import decode, decode_block, encode
from reconciler.ledger.lines import CreateIntended, Line

NAME = "ledger.jsonl"
BLOCK = 1 << 17
"""Bytes of a ledger that are decoded together: few enough for the processor's cache."""


class FileLedger:
    """One target's ledger file, in the target's folder, which is created with the first line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._mutex = threading.Lock()

    def read(self) -> Iterator[Line]:
        """Yield every complete line, the oldest first; none if there is no ledger.

        Raises `LedgerError` if the file cannot be read.
        """
        return chain.from_iterable(map(decode_block, self._blocks()))

    def rows(self) -> Iterator[bytes]:
        """Yield the text of every line, also of those that `read` skips. Raises what `read` raises."""
        return (row for data in self._blocks() for row in data.split(b"\n") if row)

    def unread(self) -> int:
        """Count the lines that `read` skips because they are incomplete or not ours; 0 if there is no ledger."""
        return sum(decode(row.decode(errors="replace")) is None for row in self.rows() if row.strip())

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Return `file:line` of lines, by their text. Raises what `read` raises."""
        lines = ((number, decode(row.decode(errors="replace"))) for number, row in enumerate(self.rows(), 1))
        found = ((encode(line), f"{self.path}:{number}") for number, line in lines if line is not None)
        return {text: place for text, place in found if text in texts}

    def rewritten(self) -> str:
        """Return "": only this host writes the file."""
        return ""

    def _blocks(self) -> Iterator[bytes]:
        """Yield the file in blocks of whole lines."""
        hint = "make it readable, or delete it: tags alone protect less"
        with (
            explaining(f"the ledger {self.path} cannot be read", hint, LedgerError),
            suppress(FileNotFoundError),
            file_access.open_to_read(self.path) as file,
        ):
            while data := file.read(BLOCK) + file.readline():
                yield data

    def append(self, *lines: Line) -> None:
        """Record lines durably, in one write.

        Raises `LedgerError` if the disk is full or read-only, or the file cannot be written.
        """
        if not lines:
            return
        data = "".join(f"{encode(line)}\n" for line in lines).encode()
        hint = "no job is created without an intent: free disk space"
        with self._mutex, explaining(f"the ledger {self.path} cannot be written", hint, LedgerError):
            self._write(data)

    def claim(self, lines: Sequence[Line]) -> bool:
        """Append lines except creates: on this host the lock is the claim, and each create appends its own intent."""
        self.append(*(line for line in lines if not isinstance(line, CreateIntended)))
        return True

    def publish(self) -> None:
        """Do nothing: other runners on this host read the same file."""

    def _write(self, data: bytes) -> None:
        file_access.make_folder(self.path.parent)
        new = not self.path.exists()
        file = file_access.append(self.path)
        try:
            size = os.fstat(file).st_size
            torn = size > 0 and _last_byte(file, size) != b"\n"
            _write_all(file, b"\n" + data if torn else data)
            os.fsync(file)
        finally:
            os.close(file)
        if new and os.name == "posix":
            file_access.sync_folder(self.path.parent)


def _last_byte(file: int, size: int) -> bytes:
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


LOCK_NAME = "lock"


class LockHeldError(LedgerError):
    """Another process holds the lock, until it ends."""


@contextmanager
def hold_lock(folder: Path, *, holder: str) -> Iterator[None]:
    """Hold the lock of the target's folder for as long as the block runs.

    `holder` describes this process, for other processes to show. Raises `LedgerError` if another process holds it, or
    the folder cannot be written.
    """
    path = folder / LOCK_NAME
    hint = "no job is created without a lock; make the folder writable"
    with explaining(f"the lock {path} cannot be created", hint, LedgerError):
        file_access.make_folder(folder)
        file = file_access.append(path)
    try:
        if not _try_lock(file):
            raise LockHeldError(
                f"another apply is running on this target ({_holder(path)})",
                hint="wait until it has ended; its process releases the lock",
            )
        with suppress(OSError):  # for readers only
            os.ftruncate(file, _TEXT_AT)
            os.lseek(file, _TEXT_AT, os.SEEK_SET)
            os.write(file, holder.encode())
        yield
    finally:
        os.close(file)  # releases the lock


_TEXT_AT = 1
"""The text begins after byte 0, which is locked: Windows does not let another process read a locked byte."""


def _holder(path: Path) -> str:
    try:
        return file_access.read(path).lstrip(b"\0").decode(errors="replace") or "unknown"
    except OSError:
        return "unknown"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> bool:
        os.lseek(file, 0, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

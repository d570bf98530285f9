"""Allows one writer at a time on this host. A crash releases the operating-system lock, unlike a pid file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler import file_access
from reconciler.errors import LedgerError

NAME = "lock"


class LockHeldError(LedgerError):
    """Another process holds the lock, until it ends."""


@contextmanager
def hold_lock(folder: Path, *, holder: str) -> Iterator[None]:
    """Hold the lock of the target's folder for as long as the block runs.

    `holder` describes this process, for other processes to show. Raises `LedgerError` if another process holds it, or
    the folder cannot be written.
    """
    path = folder / NAME
    try:
        file_access.make_folder(folder)
        file = file_access.append(path)
    except OSError as error:
        raise LedgerError(
            f"the lock {path} cannot be created: {error.strerror}",
            hint=file_access.hint_of(error, "no job is created without a lock; make the folder writable"),
        ) from error
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

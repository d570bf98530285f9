"""Open files to read or to write them. No other module does.

A checkout may hold a link, and a path may lead to a pipe, a device or a folder. A file is read only if it is a regular
file and no link leads out of its checkout, and nothing waits for a writer. A file is written only if neither it nor a
folder of its checkout is a link. `/dev/stdout`, `/dev/fd/63` and the like, which only a person names, are opened as
they are. New files are readable by their owner only. Every function raises `OSError`: `UnsafeFileError` for what is
refused here, and the system's own errors.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

FilePath: TypeAlias = "str | Path"

OWNER_ONLY: Final = 0o600
SHARED: Final = 0o666
"""Everybody, as far as the umask allows: for files that are no secret, such as specs."""
_ROOTS: Final = (".git", "reconciler.yaml")
"""A folder with one of these is a checkout or a project."""
_STREAMS: Final = ("/dev/fd/", "/dev/std", "/dev/null", "/dev/tty", "/proc/self/fd/")
_SAFE: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_KINDS: Final = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
_PIECE: Final = 1 << 15


class UnsafeFileError(OSError):
    """A path is not used, because of what it leads to. `hint` is the next step."""

    def __init__(self, path: str, what: str, hint: str) -> None:
        super().__init__(0, f"it is {what}", path)
        self.hint = hint


class TooLargeError(OSError):
    """A file is larger than a limit."""


def hint_of(error: OSError, otherwise: str) -> str:
    """Return the next step after an error: that of `UnsafeFileError`, else `otherwise`."""
    return error.hint if isinstance(error, UnsafeFileError) else otherwise


def within(path: str, folder: str) -> bool:
    """Return whether `path` is `folder` or below it; both absolute, links followed."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def open_to_read(path: FilePath, *, root: FilePath | None = None, buffering: int = -1) -> BinaryIO:
    """Open a regular file for reading bytes. No link leads out of `root`, by default each checkout above the file."""
    return os.fdopen(_opened(path, root), "rb", buffering)


def read(path: FilePath, limit: int = 1 << 30, *, root: FilePath | None = None) -> bytes:
    """Return the bytes of a regular file, or raise `TooLargeError`. The arguments are those of `open_to_read`."""
    handle, found = _opened(path, root), bytearray()
    try:
        while more := os.read(handle, _PIECE):
            found += more
            if len(found) > limit:
                raise TooLargeError
    finally:
        os.close(handle)
    return bytes(found)


def _opened(path: FilePath, root: FilePath | None) -> int:
    whole, top = os.path.abspath(path), str(root or "")
    if whole.startswith(_STREAMS):
        return os.open(whole, os.O_RDONLY)
    if top and not _linked(whole, top) and stat.S_ISREG(os.lstat(whole).st_mode):  # most files
        return _regular(whole, os.O_RDONLY)
    target = os.path.realpath(whole)
    tops = (top,) if top else map(os.path.realpath, _roots(whole))
    if target != whole and not all(within(target, top) for top in tops):
        raise UnsafeFileError(
            whole, "a link that leads out of the project", "put the file itself in its place"
        )
    _require_regular(os.stat(target).st_mode, whole)  # opening a device may already have an effect
    return _regular(target, os.O_RDONLY)


def _linked(path: str, top: str) -> bool:
    """Return whether a folder between `top` and a path is, or may be, a link."""
    folder = os.path.dirname(path)
    if folder == top:
        return os.name != "posix"  # Windows has other kinds of links
    return len(folder) <= len(top) or os.path.islink(folder) or _linked(folder, top)


def unlinked(path: FilePath) -> Path:
    """Return an absolute path, if neither it nor a folder of its checkout is a link."""
    whole = here = os.path.abspath(path)
    top = next(iter([*_roots(whole)][::-1]), os.path.dirname(whole))
    while len(here) > len(top):
        if os.path.islink(here):
            raise UnsafeFileError(here, "a link, which is not followed", "remove it, or choose another path")
        here = os.path.dirname(here)
    return Path(whole)


def make_folder(path: FilePath) -> Path:
    """Create a folder and those above it, unless it exists. Return its absolute path."""
    folder = unlinked(path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def create(path: FilePath, *, mode: int = OWNER_ONLY) -> BinaryIO:
    """Create a file, and open it for writing and reading."""
    return os.fdopen(_regular(unlinked(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), "w+b")


def recreate(path: FilePath) -> BinaryIO:
    """Delete what is at a path, a link too, and create a file there."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    return create(path)


def update(path: FilePath) -> BinaryIO:
    """Open a file for reading and writing at any place, unbuffered."""
    return os.fdopen(_regular(unlinked(path), os.O_RDWR), "r+b", 0)


def append(path: FilePath) -> int:
    """Return a file descriptor that reads a file and writes at its end; the file is created if it is missing."""
    whole = os.path.abspath(path)
    if whole.startswith(_STREAMS):
        return os.open(whole, os.O_WRONLY | os.O_APPEND)
    return _regular(unlinked(whole), os.O_RDWR | os.O_CREAT | os.O_APPEND)


def replace(path: FilePath, data: bytes, *, mode: int = OWNER_ONLY) -> None:
    """Write a file atomically, by renaming a temporary one. A file that exists keeps its permissions."""
    whole = os.path.abspath(path)
    if whole.startswith(_STREAMS):
        with open(whole, "wb") as stream:
            stream.write(data)
        return
    unlinked(whole)
    if os.path.exists(whole):
        _require_regular(os.stat(whole).st_mode, whole)
    temporary = os.path.join(os.path.dirname(whole), f".reconciler-{os.urandom(8).hex()}")
    try:
        with create(temporary, mode=mode) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(whole):
            os.chmod(temporary, stat.S_IMODE(os.stat(whole).st_mode))
        os.replace(temporary, whole)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def sync_folder(folder: FilePath) -> None:
    """Make the names of new files in a folder durable (fsync(2), NOTES)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _roots(path: str) -> Iterator[str]:
    """Yield the checkouts and projects above an absolute path, the nearest first."""
    folder = os.path.dirname(path)
    if any(os.path.lexists(os.path.join(folder, name)) for name in _ROOTS):
        yield folder
    if folder != path:
        yield from _roots(folder)


def _regular(path: FilePath, flags: int, mode: int = OWNER_ONLY) -> int:
    handle = os.open(path, flags | _SAFE, mode)
    try:
        _require_regular(os.fstat(handle).st_mode, str(path))
    except UnsafeFileError:
        os.close(handle)
        raise
    return handle


def _require_regular(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "a device")
        raise UnsafeFileError(path, f"{what}, not a regular file", "put a regular file in its place")

"""What is known of input files that have not changed since: a cache beside the ledger, and never the truth.

A file counts as unchanged while size, mtime, ctime and inode are what they were. That alone would miss a change within
one tick of the file system's clock, so a file is remembered only where it was at rest before it was read, which is
git's rule for its index (https://git-scm.com/docs/racy-git): both of its times are older than a file that the cache
writes itself before it looks. Whatever is wrong with the cache, it is no cache; deleting it costs a reading.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from reconciler.specs.inputs.requirements import Facts
from reconciler.specs.project import make_own

VERSION: Final = 2
"""Of the checks, too: with a new one every file is read again."""
NAME: Final = "inputs.cache"
WORTH: Final = 1_000_000
"""Bytes: a smaller file is read as quickly as it is looked up."""
RACY_NS: Final = 2_000_000_000
"""Some file systems count in steps of two seconds."""
_MOST: Final = 10_000

Stamp: TypeAlias = "tuple[int, int, int, int]"
"""Size, mtime and ctime in nanoseconds, and inode."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file that was read, and in which nothing was wrong."""

    stamp: Stamp
    sha256: str
    requests: int
    longest: int
    """No line has more bytes."""
    everywhere: tuple[str, ...]
    models: tuple[str, ...]

    @property
    def facts(self) -> Facts:
        """What is known of all its lines together."""
        return Facts(frozenset(self.everywhere), frozenset(self.models))


class _Stored(msgspec.Struct, frozen=True):
    version: int
    entries: dict[str, Entry]
    apart: list[str]
    """Sets of contents, each as one digest, that share no custom_id."""


class _Own(Struct, frozen=True):
    """The cache's own new file: its time is the file system's now."""

    path: Path
    made_ns: int


class InputCache:
    """Remembers files between runs.

    Args:
        folder: where it lies; None for no cache.
        worth: bytes of a file from which on it is remembered.
        racy_ns: how much older than now a file has to be.
    """

    def __init__(self, folder: Path | None, *, worth: int = WORTH, racy_ns: int = RACY_NS) -> None:
        self._folder = folder
        self._worth = worth
        self._racy_ns = racy_ns
        stored = _load(folder / NAME) if folder else None
        self._entries = dict(stored.entries) if stored else {}
        self._apart = set(stored.apart) if stored else set()
        self._own: _Own | None = None

    def stamp(self, file: Path) -> Stamp | None:
        """Return what a file looks like now, before it is read; None where it is not to be remembered."""
        try:
            found = file.stat()
        except OSError:
            return None
        return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) if self._folder else None

    def get(self, path: str, stamp: Stamp | None) -> Entry | None:
        """Return what is known of a file that looks so; None where it has to be read."""
        entry = self._entries.get(path)
        if entry is None or entry.stamp != stamp:
            self._begin(stamp)
            return None
        return entry

    def put(self, path: str, entry: Entry) -> None:
        """Remember a file that was read after `get`, where it was at rest before that."""
        size, *times, _ = entry.stamp
        if self._own and size >= self._worth and max(times) < self._own.made_ns - self._racy_ns:
            self._entries.pop(path, None)
            self._entries[path] = entry
        else:
            self._entries.pop(path, None)

    def requests(self, sha256: str) -> int | None:
        """Return how many requests a content holds that was once read here; None where nobody knows."""
        return next((it.requests for it in self._entries.values() if it.sha256 == sha256), None)

    def are_apart(self, digests: Iterable[str]) -> bool:
        """Tell whether it is known that these contents share no custom_id."""
        return _together(digests) in self._apart

    def put_apart(self, digests: Iterable[str]) -> None:
        """Remember that these contents share no custom_id."""
        self._apart.add(_together(digests))

    def _begin(self, stamp: Stamp | None) -> None:
        """Ask the file system for the time, once, before the first file that is worth it is read."""
        if self._own or self._folder is None or stamp is None or stamp[0] < self._worth:
            return
        path = self._folder / f".{NAME}.{os.getpid()}"
        with suppress(OSError):
            make_own(self._folder)
            path.write_bytes(b"")
            self._own = _Own(path, path.stat().st_mtime_ns)

    def save(self) -> None:
        """Write it where something is new. That it cannot be written is nobody's concern."""
        if self._own is None or self._folder is None:
            return
        entries = dict(list(self._entries.items())[-_MOST:])
        stored = _Stored(VERSION, entries, sorted(self._apart)[-_MOST:])
        data = msgspec.json.encode(stored)
        with suppress(OSError):
            self._own.path.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
            self._own.path.replace(self._folder / NAME)
        with suppress(OSError):
            self._own.path.unlink(missing_ok=True)
        self._own = None


def _load(path: Path) -> _Stored | None:
    try:
        digest, _, data = path.read_bytes().partition(b"\n")
        if hashlib.sha256(data).hexdigest().encode() != digest:
            return None
        stored = msgspec.json.decode(data, type=_Stored)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return stored if stored.version == VERSION else None


def _together(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()

"""Cache of the results for unchanged input files, stored beside the ledger. Deleting it is always safe.

A file counts as unchanged while its size, mtime, ctime and inode are the same. That alone would miss a change within
one tick of the file system's clock. So a file is cached only if both of its times are older than those of a file that
the cache itself writes first, which is git's rule for its index (https://git-scm.com/docs/racy-git). A damaged cache
is ignored; then the files are read again.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from reconciler import file_access
from reconciler.model import InputFile
from reconciler.specs.inputs.requirements import FileFacts
from reconciler.specs.project import make_own

VERSION: Final = 9
"""Version of the format and of the checks: after a change every file is read again."""
NAME: Final = "inputs.cache"
MIN_CACHED_BYTES: Final = 1_000_000
"""Smaller files are not cached: reading them takes no longer than a lookup."""
RACY_NS: Final = 2_000_000_000
"""Minimum age of a file in nanoseconds: some file systems have a resolution of two seconds."""
_MAX_ENTRIES: Final = 10_000

Stamp: TypeAlias = "tuple[int, int, int, int]"
"""Size, mtime and ctime in nanoseconds, and inode."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file that was read and has no problems."""

    stamp: Stamp
    file: InputFile
    facts: FileFacts


class _Stored(msgspec.Struct, frozen=True):
    version: int
    entries: dict[str, Entry] = {}
    apart: set[tuple[str, ...]] = set()


class InputCache:
    """Keeps the results of input files between runs, in a folder, or with None not at all.

    A cached file has at least `worth` bytes and is at least `racy_ns` nanoseconds old.
    """

    def __init__(self, folder: Path | None, *, worth: int = MIN_CACHED_BYTES, racy_ns: int = RACY_NS) -> None:
        self._folder = folder
        self._worth = worth
        self._racy_ns = racy_ns
        stored = (folder and _load(folder / NAME)) or _Stored(VERSION)
        self._entries = stored.entries
        self.apart = stored.apart
        """The sorted digests of files that share no custom_id."""
        self._own: tuple[Path, int] | None = None
        """A file that the cache has just written, and its time: the current time of the file system."""

    def stamp(self, file: Path) -> Stamp | None:
        """Return the stamp of a file before it is read; None if it is not to be cached."""
        try:
            found = file.stat()
        except OSError:
            return None
        return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) if self._folder else None

    def get(self, path: str, stamp: Stamp | None) -> Entry | None:
        """Return the entry of an unchanged file; None if it must be read."""
        entry = self._entries.get(path)
        if entry is None or entry.stamp != stamp:
            self._begin(stamp)
            return None
        return entry

    def put(self, entry: Entry) -> None:
        """Cache a file that was read after `get`, if it was old enough by then."""
        size, *times, _ = entry.stamp
        self._entries.pop(entry.file.path, None)
        if self._own and size >= self._worth and max(times) < self._own[1] - self._racy_ns:
            self._entries[entry.file.path] = entry

    def known(self, sha256: str) -> InputFile | None:
        """Return a file with a content; None if it is not cached."""
        return next((it.file for it in self._entries.values() if it.file.sha256 == sha256), None)

    def _begin(self, stamp: Stamp | None) -> None:
        """Get the file system's time, once, before the first file to cache is read."""
        if self._own or self._folder is None or stamp is None or stamp[0] < self._worth:
            return
        path = self._folder / f".{NAME}.{os.getpid()}"
        with suppress(OSError):
            make_own(self._folder)
            file_access.recreate(path).close()
            self._own = path, path.stat().st_mtime_ns

    def save(self) -> None:
        """Write the cache if anything changed. Failure to write is ignored."""
        if self._own is None or self._folder is None:
            return
        entries = dict(list(self._entries.items())[-_MAX_ENTRIES:])
        data = msgspec.json.encode(_Stored(VERSION, entries, set(sorted(self.apart)[-_MAX_ENTRIES:])))
        path, _ = self._own
        with suppress(OSError):
            digest = hashlib.sha256(data).hexdigest().encode()
            file_access.replace(self._folder / NAME, digest + b"\n" + data)
        with suppress(OSError):
            path.unlink(missing_ok=True)
        self._own = None


def _load(path: Path) -> _Stored | None:
    try:
        digest, _, data = file_access.read(path).partition(b"\n")
        if hashlib.sha256(data).hexdigest().encode() != digest:
            return None
        stored = msgspec.json.decode(data, type=_Stored)
    except (OSError, ValueError, RecursionError):
        return None
    return stored if stored.version == VERSION else None

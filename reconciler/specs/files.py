"""The file system, as far as specs need it: what lies in the spec root, and what is in a file.

Absence of a spec may cancel a job, so nothing is passed over in silence: a folder that cannot be read, a link that
leads nowhere or out of the project is a problem, not a gap.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

SPEC_SUFFIXES: Final = (".yaml", ".yml")
NOTES_SUFFIX: Final = ".md"
"""Files for readers: they may lie beside specs without any spec naming them."""


_BINARY: Final = getattr(os, "O_BINARY", 0)
"""Windows would otherwise translate line ends."""
_PIECE: Final = 1 << 15


class TooLargeError(Exception):
    """A file holds more than a limit."""


def within(path: str, folder: str) -> bool:
    """Tell whether `path` is `folder` or beneath it; both absolute, links followed."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


class Unfit(NamedTuple):
    """Something in the spec root that cannot be taken as it is."""

    path: str
    message: str
    hint: str


class Listing:
    """What lies beneath the spec root. Hidden files and folders are not looked at."""

    def __init__(self, folder: str, root: str) -> None:
        """List `folder`, which lies in the project `root`; both absolute, links followed."""
        self.specs: list[str] = []
        """YAML files, absolute, sorted."""
        self.others: list[str] = []
        """What is neither YAML nor Markdown, absolute, sorted."""
        self.unfit: list[Unfit] = []
        self._folder = folder
        self._root = root
        self._linked: set[str] = set()
        """Folders outside `folder` that a link led to."""
        self._waiting = [folder]
        while self._waiting:
            here = self._waiting.pop()
            try:
                for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
                    if not entry.name.startswith("."):
                        self._entry(entry)
            except OSError as error:
                self.unfit.append(Unfit(here, f"cannot be read: {error.strerror}", ""))
        self.specs.sort()
        self.others.sort()

    def _entry(self, entry: os.DirEntry[str]) -> None:
        if not entry.name.isprintable():
            self.unfit.append(Unfit(entry.path, "a name with invisible characters", "rename it"))
        elif not entry.is_symlink():
            if entry.is_dir():
                self._waiting.append(entry.path)
            else:
                self._file(entry.path, regular=entry.is_file())
        else:
            self._link(entry.path, os.path.realpath(entry.path))

    def _link(self, path: str, target: str) -> None:
        if not within(target, self._root):
            hint = "put what it leads to into the project"
            self.unfit.append(Unfit(path, "a link that leads out of the project", hint))
        elif not os.path.isdir(target):  # noqa: PTH112 - a Path for every link is no clearer
            self._file(path, regular=os.path.isfile(target))  # noqa: PTH113 - likewise
        elif within(self._folder, target):
            self.unfit.append(Unfit(path, "a link to a folder that it lies in itself", "remove it"))
        elif target not in self._linked and not within(target, self._folder):
            self._linked.add(target)
            self._waiting.append(path)

    def _file(self, path: str, *, regular: bool) -> None:
        if not regular:
            self.unfit.append(Unfit(path, "not a file, or a link that leads nowhere", "remove it"))
        elif path.endswith(SPEC_SUFFIXES):
            self.specs.append(path)
        elif not path.endswith(NOTES_SUFFIX):
            self.others.append(path)


def size(path: str) -> int:
    """Return the bytes of a file, 0 where nobody can tell."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - likewise
    except OSError:
        return 0


def replace(path: str, data: bytes) -> None:
    """Put a file with other bytes in the place of one, whole or not at all; its permissions stay.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".reconciler-")  # noqa: PTH120 - as above
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: str | Path, limit: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        TooLargeError: there are more than `limit`.
        OSError: it cannot be read.
    """
    # The file descriptor itself: to make a Path and a buffer costs more than to read a small file.
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    try:
        found = b""
        while more := os.read(descriptor, _PIECE):
            found += more
            if len(found) > limit:
                raise TooLargeError
        return found
    finally:
        os.close(descriptor)

"""List the spec root.

A missing spec may cancel a job, so nothing is skipped silently: a folder that cannot be read and a link to a missing
file or out of the project are problems.
"""

from __future__ import annotations

import os
from typing import Final

from reconciler.errors import Problem
from reconciler.file_access import within
from reconciler.text.sanitize import clean

SPEC_SUFFIXES: Final = (".yaml", ".yml")
NOTES_SUFFIX: Final = ".md"
"""Documentation: no warning if no spec names such a file."""


class Listing:
    """The files below the spec root, except hidden files and folders."""

    def __init__(self, folder: str, root: str) -> None:
        """List `folder`, which is inside the project `root`; both absolute, links followed."""
        self.specs: list[str] = []
        """YAML files, absolute, sorted."""
        self.others: list[str] = []
        """Files that are neither YAML nor Markdown, absolute, sorted."""
        self.unfit: list[Problem] = []
        """Entries that cannot be used."""
        self._folder = folder
        self._root = root
        self._linked: set[str] = set()
        """Folders outside `folder` that were reached by a link."""
        self._waiting = [folder]
        while self._waiting:
            here = self._waiting.pop()
            try:
                for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
                    if not entry.name.startswith("."):
                        self._entry(entry)
            except OSError as error:
                self._refuse(here, f"cannot be read: {error.strerror}", "make it readable")
        self.specs.sort()
        self.others.sort()

    def _entry(self, entry: os.DirEntry[str]) -> None:
        if not entry.name.isprintable():
            self._refuse(entry.path, "a name with invisible characters", "rename it")
        elif not entry.is_symlink():
            if entry.is_dir():
                self._waiting.append(entry.path)
            else:
                self._file(entry.path, regular=entry.is_file())
        else:
            self._link(entry.path, os.path.realpath(entry.path))

    def _link(self, path: str, target: str) -> None:
        if not within(target, self._root):
            self._refuse(path, "a link that leads out of the project", "move its target into the project")
        elif not os.path.isdir(target):  # noqa: PTH112 - a Path for every link is no clearer
            self._file(path, regular=os.path.isfile(target))  # noqa: PTH113 - likewise
        elif within(self._folder, target):
            self._refuse(path, "a link to a folder that contains it", "remove it")
        elif target not in self._linked and not within(target, self._folder):
            self._linked.add(target)
            self._waiting.append(path)

    def _file(self, path: str, *, regular: bool) -> None:
        if not regular:
            self._refuse(path, "not a regular file, or a broken link", "remove it")
        elif path.endswith(SPEC_SUFFIXES):
            self.specs.append(path)
        elif not path.endswith(NOTES_SUFFIX):
            self.others.append(path)

    def _refuse(self, path: str, message: str, hint: str) -> None:
        shown = clean(os.path.relpath(path, self._root).replace(os.sep, "/"))
        self.unfit.append(Problem(path=shown, message=message, hint=hint))


def size(path: str) -> int:
    """Return the size of a file in bytes, 0 if it cannot be read."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - likewise
    except OSError:
        return 0

"""The file system, as far as specs need it: what lies in the spec root, and what is in a file.

Absence of a spec may cancel a job, so nothing is passed over in silence: a folder that cannot be read, a link that
leads nowhere or out of the project is a problem, not a gap.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SPEC_SUFFIXES: Final = (".yaml", ".yml")
NOTES_SUFFIX: Final = ".md"
"""Files for readers: they may lie beside specs without any spec naming them."""


class TooLargeError(Exception):
    """A file holds more than a limit."""


@dataclass(slots=True)
class Listing:
    """What lies beneath a folder; hidden files and folders are not looked at."""

    specs: list[str] = field(default_factory=list)
    """YAML files, absolute, sorted."""
    others: list[str] = field(default_factory=list)
    """What is neither YAML nor Markdown, absolute, sorted."""
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    """Absolute path, message, hint."""


def within(path: str, folder: str) -> bool:
    """Tell whether `path` is `folder` or beneath it; both absolute, links followed."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def listing(folder: str, root: str) -> Listing:
    """Return what lies beneath `folder`, which lies in the project `root`; links to folders are followed once."""
    found = Listing()
    seen = {os.path.realpath(folder)}
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            found.problems.append((here, f"the folder cannot be read: {error.strerror}", ""))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                _file(entry, found)
            elif not entry.is_symlink():
                waiting.append(entry.path)
            else:
                waiting.extend(_linked(entry, folder, root, seen, found))
    found.specs.sort()
    found.others.sort()
    return found


def _file(entry: os.DirEntry[str], found: Listing) -> None:
    is_spec = entry.name.endswith(SPEC_SUFFIXES)
    if entry.is_file():
        if is_spec:
            found.specs.append(entry.path)
        elif not entry.name.endswith(NOTES_SUFFIX):
            found.others.append(entry.path)
    elif is_spec:
        leads = "a link that leads nowhere" if entry.is_symlink() else "not a regular file"
        found.problems.append((entry.path, leads, "remove it"))


def _linked(entry: os.DirEntry[str], folder: str, root: str, seen: set[str], found: Listing) -> Iterator[str]:
    target = os.path.realpath(entry.path)
    if not within(target, root):
        found.problems.append(
            (entry.path, "a link that leads out of the project", "put the files into the project")
        )
    elif target not in seen and not within(target, os.path.realpath(folder)):
        seen.add(target)
        yield entry.path


def read(path: str | Path, limit: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        TooLargeError: there are more than `limit`.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - making a Path costs more than reading a small file
        if os.fstat(file.fileno()).st_size > limit:
            raise TooLargeError
        return file.read()

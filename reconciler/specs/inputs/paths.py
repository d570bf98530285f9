"""Resolve an entry of `input_files`: an uploaded file's id, a path, or a glob.

Paths and globs are relative to the spec's own folder, use forward slashes, and must lead to regular files inside the
project after links are followed. A glob's `*`, `?` and `[…]` match part of one name, `**` any number of folders; only
a pattern that begins with a dot matches names that do.
"""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import Final

from reconciler import file_access
from reconciler.errors import ReconcilerError
from reconciler.specs.budget import Budget, Work
from reconciler.text.suggest import nearest, some

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAGIC: Final = re.compile(r"[*?[]")
_FOREIGN: Final = re.compile(r"[A-Za-z]:|[^\\]*\\", re.DOTALL)
"""A drive letter, or a backslash anywhere."""
_MAX_NAME: Final = 255
"""Characters of a name. To translate a glob takes a time that grows with the square of its length."""
_LONG: Final = re.compile(rf"[^/]{{{_MAX_NAME + 1}}}")
_MAX_HINTS: Final = 100
"""Mistakes of one load that get a hint with names of files: comparing names takes long in a large folder."""
_FOLDER: Final = 10
"""Looking at a folder takes about as long as comparing so many names."""
_SUBMODULE: Final = (
    "; if it is a git submodule: git submodule update --init (on CI, check out with submodules)"
)
_NOT_NAMES: Final = frozenset({"", ".", ".."})
_composed: Final = partial(unicodedata.normalize, "NFC")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class NoInputError(ReconcilerError):
    """An entry does not name a usable input."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)


def uploaded_id(entry: str) -> str | None:
    """Return the id of an uploaded file, None if the entry is a path."""
    return entry.lower() if _ID.fullmatch(entry) else None


_MISSPELT: Final[tuple[tuple[Callable[[str], object], str, str], ...]] = (
    (_SCHEME.match, "a URL is not an input", "download it into the project, or upload it and name its id"),
    (_FOREIGN.match, "not a portable path", "write it relative to this file, with forward slashes"),
    (re.compile("[/~]").match, "an absolute path is not allowed", "write it relative to this file"),
    (_LONG.search, f"a name of more than {_MAX_NAME} characters", "no file has such a name: shorten it"),
    (lambda entry: not entry.isprintable(), "a path with invisible characters", "rename the file"),
)
"""How to recognize an entry that cannot be a path, with the message and the hint."""


class PathResolver:
    """Finds the files that entries name. Caches the targets of folders, so create one for each load."""

    def __init__(self, root: str, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._hints = _MAX_HINTS
        self._root = root
        """The project's folder, absolute, links followed."""
        self._folders: dict[str, str] = {}
        """Each folder and its real path."""

    def named(self, entry: str, *, folder: str) -> list[str]:
        """Return the files that a path or glob of a spec in `folder` names, absolute, links followed, sorted.

        Raises `NoInputError` if it names no file, or one that cannot be used; `OverBudgetError` if the globs of this
        load look at too much.
        """
        for matches, message, hint in _MISSPELT:
            if matches(entry):
                raise NoInputError(message, hint)
        if not _MAGIC.search(entry):
            return [self._regular(f"{folder}/{entry}", entry)]
        self._budget.spend(Work.GLOBS)
        steps = entry.split("/")
        literal = next(at for at, step in enumerate(steps) if _MAGIC.search(step))
        base = self._inside(os.path.realpath("/".join([folder, *steps[:literal]])))
        if steps[-1] == "**":
            steps.append("*")
        found = sorted({self._regular(path, entry) for path in self._matches(base, steps[literal:])})
        if os.path.lexists(f"{folder}/{entry}"):
            alone = self._regular(f"{folder}/{entry}", entry)
            if found not in ([], [alone]):
                hint = f"for the file alone, write `{glob.escape(entry)}`"
                raise NoInputError("both the name of a file and a glob for others", hint)
            return [alone]
        if not found:
            hint = self._from_root(entry, folder) or self._files_near(Path(base), steps[-1])
            raise NoInputError("matches no file", hint)
        return found

    def _from_root(self, entry: str, folder: str) -> str:
        """Return a hint for a path that is relative to the project's folder instead of the spec's, else ""."""
        there = f"{self._root}/{entry}"
        if folder == self._root or not (
            os.path.lexists(there) or any(self._matches(self._root, entry.split("/")))
        ):
            return ""
        right = os.path.relpath(there, folder).replace(os.sep, "/")
        return f"paths are relative to the spec file: write `{right}`"

    def _inside(self, path: str) -> str:
        if not file_access.within(path, self._root):
            raise NoInputError("leads out of the project", "keep inputs below the folder of reconciler.yaml")
        return path

    def _regular(self, path: str, entry: str) -> str:
        """Return the regular file that a path leads to."""
        folder, name = os.path.split(path)
        if not name.isprintable():
            raise NoInputError("a file name with invisible characters", "rename the file")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        target = f"{self._inside(self._folders[folder])}{os.sep}{name}"
        try:
            mode = os.lstat(target).st_mode
            if S_ISLNK(mode) or name in _NOT_NAMES:
                target = self._inside(os.path.realpath(target))
                mode = Path(target).stat().st_mode
        except FileNotFoundError:
            hint = self._from_root(entry, path.removesuffix(f"/{entry}")) or self._files_near(
                Path(folder), name
            )
            raise NoInputError("no such file", hint) from None
        except OSError as error:
            raise NoInputError(f"cannot be read: {error.strerror}", "make it readable") from None
        if S_ISDIR(mode):
            raise NoInputError("a folder", f"name its files: `{entry.rstrip('/')}/*.jsonl`")
        if not S_ISREG(mode):
            raise NoInputError("not a regular file", "put a regular file in its place")
        return target

    def _matches(self, folder: str, steps: list[str]) -> Iterator[str]:
        """Yield the files and links below a folder that match the steps of a glob.

        Each folder is visited at most once per step, by whichever links it is reached: otherwise the time would grow
        with every `**`, and with every link to a folder above.
        """
        waiting = [(folder, 0)]
        seen = set()
        while waiting:
            here, at = waiting.pop()
            visit = (_identity(here), at)
            if visit in seen:
                continue
            seen.add(visit)
            entries = _entries(here)
            self._budget.spend(Work.NAMES, _FOLDER + len(entries))
            for found in _step(here, entries, steps, at):
                if isinstance(found, str):
                    yield found
                else:
                    waiting.append(found)

    def _files_near(self, folder: Path, name: str) -> str:
        """Return a hint: the file of a folder that `name` was probably meant to be, or else all its files."""
        self._hints -= 1
        if self._hints < 0:
            return ""
        try:
            names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        except OSError:
            above = next(it for it in folder.parents if it.is_dir())
            with suppress(OSError):
                if not any(above.iterdir()):
                    return f"the folder {above.name} is empty{_SUBMODULE}"
            return "its folder does not exist" + (" either" if not _MAGIC.search(name) else "")
        if any(fnmatchcase(_composed(it), _composed(name)) and not fnmatchcase(it, name) for it in names):
            return "the folder has this name in another Unicode form (NFC and NFD look the same): rename the file"
        found = None if _MAGIC.search(name) else nearest(name, names)
        if found:
            return f"did you mean `{found}`?"
        return f"in its folder: {some(names)}" if names else f"its folder is empty{_SUBMODULE}"


def _step(
    folder: str, entries: list[os.DirEntry[str]], steps: list[str], at: int
) -> Iterator[str | tuple[str, int]]:
    """Yield the matches of one step of a glob in a folder: files, or folders with the next step."""
    step, last = steps[at], at + 1 == len(steps)
    if step == "**":
        yield folder, at + 1
    for entry in entries:
        hidden = entry.name.startswith(".")
        if step == "**" and not hidden and entry.is_dir(follow_symlinks=False):
            yield entry.path, at
        elif step != "**" and fnmatchcase(entry.name, step) and (not hidden or step.startswith(".")):
            if not last and entry.is_dir():
                yield entry.path, at + 1
            elif last and not entry.is_dir():
                yield entry.path


def _identity(folder: str) -> tuple[int, int]:
    try:
        found = os.stat(folder)  # noqa: PTH116 - a Path for every folder is no clearer
    except OSError:  # reading it gives the message
        return -1, hash(folder)
    return found.st_dev, found.st_ino


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NoInputError(
            f"a folder on the path cannot be read: {error.strerror}", "make it readable"
        ) from None

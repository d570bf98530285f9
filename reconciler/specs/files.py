"""List the spec root, and find stray files: specs that are not read as such, and files that no spec names.

A missing spec may cancel a job, so nothing is skipped silently: a folder that cannot be read and a link to a missing
file or out of the project are problems, and so is a file that looks like a spec and is not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.errors import Problem
from reconciler.file_access import within
from reconciler.specs.project import CONFIG_NAME, Project
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean
from reconciler.text.suggest import some

SPEC_SUFFIXES: Final = (".yaml", ".yml")
NOTES_SUFFIX: Final = ".md"
"""Documentation: no warning if no spec names such a file."""
_APART: Final = 3
"""Up to this many unused files of a folder have a warning each; more have one together."""
_SUFFIX: Final = re.compile(r"\.(ya?ml)$", re.IGNORECASE)
_NAMED_LIKE_SPEC: Final = re.compile(r"\.(ya?ml\b|json$)", re.IGNORECASE)
_ORIGINAL: Final = re.compile(r"#?(.*\.ya?ml)[^a-z0-9]")
_KEY: Final = rb"""(?:^|[{,])[ \t]*["']?%s["']?[ \t]*:"""
_HAS_NAME: Final = re.compile(_KEY % b"name" + rb"""[ \t]*["'a-z0-9]""", re.MULTILINE)
_HAS_WORK: Final = re.compile(_KEY % b"(?:endpoint|input_files|requests|for_each)", re.MULTILINE)
_HAS_ENDPOINT: Final = re.compile(_KEY % b"endpoint" + rb"""[ \t]*["']?/v1/""", re.MULTILINE)


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


def without_named(project: Project, others: Sequence[str], named: frozenset[str]) -> list[str]:
    """Return the files that no spec names, relative to the root."""
    return [
        project.relative(path)
        for path in others
        if project.relative(path) not in named and project.relative(os.path.realpath(path)) not in named
    ]


def unread_specs(project: Project, lone: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for each file that looks like a spec by its name and content, but is not read as one."""
    for path in lone:
        name = path.rpartition("/")[2]
        suffix = _SUFFIX.search(name)
        if suffix:
            message = f"not read as a spec: `{suffix[0]}` is not lower case"
            yield Problem(path=path, message=message, hint=f"rename it to `{name[: suffix.start()]}.yaml`")
        elif (
            _NAMED_LIKE_SPEC.search(name)
            and not _is_copy(project, path)
            and _looks_like_spec(project, path, _HAS_NAME, _HAS_WORK)
        ):
            message = "looks like a spec, but is not read: specs end in .yaml or .yml"
            hint = "rename it, or move it out of the spec folder: its job counts as removed otherwise"
            yield Problem(path=path, message=message, hint=hint)


def _is_copy(project: Project, path: str) -> bool:
    """Whether a file is the copy that an editor writes beside a spec: `a.yaml~`, `#a.yaml#`, `a.yaml.bak`."""
    folder, _, name = path.rpartition("/")
    original = _ORIGINAL.match(name)
    return original is not None and (project.root / folder / original[1]).is_file()


def specs_outside(project: Project) -> Iterator[Problem]:
    """Yield a warning for each spec beside the spec folder: in the project's folder, or in a folder of it."""
    root, hint = project.root, f"move it to {project.relative(str(project.spec_root))}/"
    for path in sorted([*root.glob("*.y*ml"), *root.glob("[!.]*/*.y*ml")]):
        shown = project.relative(str(path))
        inside = within(os.path.realpath(path), str(project.spec_root))
        if inside or path.name == CONFIG_NAME or not path.is_file():
            continue
        if _looks_like_spec(project, shown, _HAS_NAME, _HAS_ENDPOINT):
            yield Problem(path=shown, message="a spec outside the spec folder", hint=hint, warning=True)


def _looks_like_spec(project: Project, path: str, *keys: re.Pattern[bytes]) -> bool:
    try:
        text = file_access.read(project.root / path, project.settings.limits.spec_bytes)
    except OSError:
        return False
    return all(key.search(text) for key in keys)


def unused_files(lone: Sequence[str]) -> Iterator[Problem]:
    """Yield a warning for each file, or one for a folder of them."""
    for folder, paths in groupby(sorted(lone, key=_folder), _folder):
        names = list(paths)
        hint = "name {} in `input_files`, or move {} out of the spec folder"
        if not any(Path(name).suffix == ".jsonl" for name in names):
            hint = "move {} out of the spec folder: no spec needs {}"
        if len(names) <= _APART:
            for path in names:
                yield Problem(
                    path=path, message="no spec names this file", hint=hint.format("it", "it"), warning=True
                )
        else:
            files_here = some([path.rpartition("/")[2] for path in names])
            message = f"no spec names {pluralize(len(names), 'file')} here: {files_here}"
            yield Problem(path=folder, message=message, hint=hint.format("them", "them"), warning=True)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]

"""Which of the specs a command is about, when it was given paths.

A path selects what is declared in that file or beneath that folder. It never makes anything absent: what is not
selected is left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from reconciler.errors import UsageError
from reconciler.model import JobSpec
from reconciler.specs import files
from reconciler.specs.project import Project
from reconciler.specs.words import nearest


def scope(project: Project, paths: Sequence[Path]) -> tuple[Path, ...] | None:
    """Return the paths that narrow the selection; None where the whole spec root is meant.

    Raises:
        UsageError: a path does not exist, or holds no specs of this project.
    """
    for path in paths:
        _check(project, path)
    if not paths or any(files.within(str(project.spec_root), os.path.realpath(path)) for path in paths):
        return None
    return tuple(paths)


def _check(project: Project, path: Path) -> None:
    if not path.exists():
        names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        found = nearest(path.name, names)
        raise UsageError(f"there is no {path}", hint=f"did you mean {path.parent / found}?" if found else "")
    target = os.path.realpath(path)
    root = str(project.spec_root)
    if not files.within(target, root) and not files.within(root, target):
        shown = project.relative(root)
        raise UsageError(f"{path} is not in this project's spec folder", hint=f"its specs are in {shown}/")
    if path.is_file() and not path.name.endswith(files.SPEC_SUFFIXES):
        raise UsageError(f"{path} is not a spec", hint="specs end in .yaml or .yml")


def selected(
    project: Project, specs: Iterable[JobSpec], narrowed: Sequence[Path] | None
) -> frozenset[str] | None:
    """Return the names that `narrowed` selects, None for all.

    Raises:
        UsageError: a path selects nothing.
    """
    if narrowed is None:
        return None
    places = [(spec.name, os.path.realpath(project.root / spec.declared_at.path)) for spec in specs]
    names: set[str] = set()
    for path in narrowed:
        target = os.path.realpath(path)
        here = {name for name, place in places if files.within(place, target)}
        if not here:
            raise UsageError(f"{path} declares no job")
        names |= here
    return frozenset(names)

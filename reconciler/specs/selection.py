"""Select specs by the paths and globs of names of a command.

A path selects the jobs declared in that file or below that folder, a glob the jobs whose names match; with both, a job
must match both. `--exclude` removes names from the selection. A job that is not selected is left as it is: it never
counts as removed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from reconciler import file_access
from reconciler.errors import UsageError
from reconciler.model import JobSpec, Names
from reconciler.specs import files
from reconciler.specs.project import Project
from reconciler.text.sanitize import clean
from reconciler.text.suggest import did_you_mean, nearest


def scope(project: Project, paths: Sequence[Path]) -> tuple[Path, ...] | None:
    """Return the paths that narrow the selection; None if they include the whole spec root.

    Raises `UsageError` if a path does not exist, or is not in the spec folder of this project.
    """
    for path in paths:
        _check(project, path)
    if not paths or any(file_access.within(str(project.spec_root), os.path.realpath(path)) for path in paths):
        return None
    return tuple(paths)


def _check(project: Project, path: Path) -> None:
    if not path.exists():
        names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        found = nearest(path.name, names)
        choose = f"this takes files and folders; to choose jobs by name, pass --only '{path.name}'"
        raise UsageError(
            f"{path} does not exist", hint=f"did you mean {path.parent / found}?" if found else choose
        )
    target = os.path.realpath(path)
    root = str(project.spec_root)
    if not file_access.within(target, root) and not file_access.within(root, target):
        shown = project.relative(root)
        raise UsageError(f"{path} is not in this project's spec folder", hint=f"its specs are in {shown}/")
    if path.is_file() and not path.name.endswith(files.SPEC_SUFFIXES):
        raise UsageError(f"{path} is not a spec", hint="specs end in .yaml or .yml")


def selected(
    project: Project,
    specs: Sequence[JobSpec],
    narrowed: Sequence[Path] | None,
    names: Names,
    *,
    later: Collection[str] = (),
) -> frozenset[str] | None:
    """Return the names that `narrowed` and `names` select, None for all; a glob may also match a name in `later`.

    Raises `UsageError` if a path or a glob matches nothing, or no job is left.
    """
    here = None if narrowed is None else _declared_in(project, specs, narrowed)
    if not names:
        return here
    known = here if here is not None else frozenset({*(spec.name for spec in specs), *later})
    found = _fitting(known, names.only) if names.only else known
    left = found - _fitting(known, names.exclude)
    if not left:
        raise UsageError("--exclude excludes every job", hint="remove it, or exclude fewer")
    return left


def unknown(name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name or glob that no declared job has."""
    hint = did_you_mean(name, known, "list the names: reconciler render")
    return UsageError(f"no declared job has the name {clean(name)}", hint=hint)


def _fitting(known: frozenset[str], globs: Iterable[str]) -> frozenset[str]:
    """Return the names that match.

    A glob that matches nothing is an error: it is probably a typo, and could submit jobs that should be excluded.
    """
    found: set[str] = set()
    for glob in globs:
        fitting = {name for name in known if fnmatchcase(name, glob)}
        if not fitting:
            raise unknown(glob, known)
        found |= fitting
    return frozenset(found)


def _declared_in(project: Project, specs: Iterable[JobSpec], narrowed: Sequence[Path]) -> frozenset[str]:
    places = [(spec.name, os.path.realpath(project.root / spec.declared_at.path)) for spec in specs]
    names: set[str] = set()
    for path in narrowed:
        target = os.path.realpath(path)
        here = {name for name, place in places if file_access.within(place, target)}
        if not here:
            raise UsageError(f"{path} declares no job that is due", hint="name another path, or none")
        names |= here
    return frozenset(names)

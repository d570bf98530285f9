"""The place of results: the setting `results`, or the variable `RECONCILER_RESULTS`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.documents import result_summary
from reconciler.errors import ReconcilerError
from reconciler.outputs.object_store import ObjectStore
from reconciler.outputs.paths import JOBS, RESULTS
from reconciler.outputs.store import FolderStore, ResultStore
from reconciler.settings import RESULTS_SCHEMES
from reconciler.specs.project import Project, make_own
from reconciler.vcs.git import Git

VARIABLE: Final = "RECONCILER_RESULTS"
"""Overrides the setting: a folder, relative to that of `reconciler.yaml`, or a URL."""


def place_of(project: Project, environ: Mapping[str, str]) -> str:
    """Return the place: a folder or a URL. Each environment has a folder of its own in it.

    Raises `ReconcilerError` if the variable has a URL of another scheme.
    """
    named = environ.get(VARIABLE)
    if named:
        scheme, separator, _ = named.partition("://")
        if separator and scheme not in RESULTS_SCHEMES:
            raise ReconcilerError(
                f"{VARIABLE}: {scheme}:// is no place for results",
                hint=f"a folder, or a URL that begins with {', '.join(f'{it}://' for it in RESULTS_SCHEMES)}",
            )
    place = named or project.settings.results
    return f"{place.rstrip('/')}/{project.environment}" if project.environment else place


def local_folder(project: Project, environ: Mapping[str, str]) -> Path | None:
    """Return the folder of results; None if they are in an object store. Raises what `place_of` raises."""
    place = place_of(project, environ)
    return None if "://" in place else project.root / place


def check_untracked(project: Project, environ: Mapping[str, str], git: Git) -> None:
    """Refuse a folder of results in which git tracks results: a pull request could forge answers.

    Raises `ReconcilerError` if git does, or cannot be asked; or the place of results is invalid.
    """
    folder = local_folder(project, environ)
    if folder is None or not folder.is_dir():
        return
    if not file_access.within(os.path.realpath(folder), str(git.toplevel() or project.root)):
        return
    place = os.path.relpath(folder, project.root).replace(os.sep, "/")
    if any(git.tracked(f"{place}/*/{each}") for each in (f"{JOBS}/*/*", RESULTS, result_summary.NAME)):
        raise ReconcilerError(
            f"git tracks results below {place}/, so a pull request could forge answers",
            hint=f"remove them: git rm -r --cached {place}, then commit",
        )


def warning_on_ci(project: Project, environ: Mapping[str, str]) -> str:
    """Return a warning that a CI runner loses results, "" if their place is a URL, or the variable names it."""
    if environ.get(VARIABLE) or "://" in place_of(project, environ):
        return ""
    folder = project.settings.results
    return (
        f"results are lost with this runner: `results` is the folder {folder}. Set `results` in "
        f"{project.config_path.name} to a URL such as s3://bucket/outputs, or the variable {VARIABLE}"
    )


def open_place(project: Project, environ: Mapping[str, str], *, staging: Path) -> ResultStore:
    """Return the store of results; `staging` is for incomplete files of an object store.

    Raises `ReconcilerError` if it needs a package that is not installed, or is invalid.
    """
    place = place_of(project, environ)
    if "://" not in place:
        return FolderStore(project.root / place, shown=place.rstrip("/\\") or place)
    return open_store(place, staging=staging)


def open_store(url: str, *, staging: Path) -> ObjectStore:
    """Return a folder of an object store. Raises `ReconcilerError` if it needs a package that is not installed."""
    try:
        return ObjectStore(url, staging=staging)
    except ModuleNotFoundError as error:
        raise ReconcilerError(
            f"{url} needs the package {error.name}",
            hint='pip install "mistral-batch-reconciler[objects]", and the package for the scheme, such as s3fs',
        ) from error


def make_place(project: Project, environ: Mapping[str, str]) -> None:
    """Create the folder of results if it is missing and in the project, so that git ignores it.

    Raises `OSError` if it cannot be created.
    """
    folder = local_folder(project, environ)
    if folder is None or folder.exists():
        return
    if file_access.within(os.path.realpath(folder), os.path.realpath(project.root)):
        make_own(folder)

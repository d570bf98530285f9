"""Warn about files in the spec root that no spec names: they are probably forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from reconciler.errors import Problem
from reconciler.specs.project import Project
from reconciler.text.plural import pluralize
from reconciler.text.suggest import some

_APART: Final = 3
"""Up to this many unused files of a folder have a warning each; more have one together."""


def unused_files(project: Project, others: Sequence[str], named: frozenset[str]) -> Iterator[Problem]:
    """Yield a warning for each file that no spec names, or one for a folder of them."""
    lone = [
        project.relative(path)
        for path in others
        if project.relative(path) not in named and project.relative(os.path.realpath(path)) not in named
    ]
    hint = "name it in `input_files`, or move it out of the spec folder"
    for folder, paths in groupby(sorted(lone, key=_folder), _folder):
        names = list(paths)
        if len(names) <= _APART:
            for path in names:
                yield Problem(path=path, message="no spec names this file", hint=hint, warning=True)
        else:
            files_here = some([path.rpartition("/")[2] for path in names])
            message = f"no spec names {pluralize(len(names), 'file')} here: {files_here}"
            yield Problem(path=folder, message=message, hint=hint.replace(" it ", " them "), warning=True)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]

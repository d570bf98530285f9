"""Where a name is declared, or was: what the specs and git say of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.environment import World
from reconciler.errors import ReconcilerError
from reconciler.model.commit import Commit
from reconciler.settings import NAME_PATTERN
from reconciler.specs.load import load
from reconciler.specs.project import Project
from reconciler.vcs import git


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is known of a name's declaration."""

    declared: bool
    files: tuple[str, ...] = ()
    """Relative to the project root."""
    works: frozenset[str] = frozenset()
    commits: tuple[Commit, ...] = ()


def declared_at(world: World, project: Project, name: str) -> Place:
    """Look a name up in the specs, and its file in git; a spec that is gone is looked for by its text."""
    try:
        specs = load(project, now=world.now()).specs
    except ReconcilerError:  # a story is told where specs are broken, too
        specs = ()
    for spec in specs:
        if spec.name == name:
            files = (spec.declared_at.path,)
            works = frozenset(key.work for key in spec.run_keys)
            return Place(declared=True, files=files, works=works, commits=git.commits_of(project.root, files))
    if re.fullmatch(NAME_PATTERN, name) is None:
        return Place(declared=False)
    where = project.relative(str(project.spec_root))
    gone = git.files_declaring(project.root, name, below=where)
    return Place(declared=False, files=gone, commits=git.commits_of(project.root, gone))

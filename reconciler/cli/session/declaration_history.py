"""Find where a name is or was declared, according to the specs and git."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.model.commit import Commit
from reconciler.settings import NAME_PATTERN
from reconciler.specs.load import load
from reconciler.specs.project import Project


@dataclass(frozen=True, kw_only=True)
class DeclarationHistory:
    """A name's declaration: files and commits."""

    declared: bool
    files: tuple[str, ...] = ()
    """Relative to the project root."""
    works: frozenset[str] = frozenset()
    commits: tuple[Commit, ...] = ()


def declared_at(env: Environment, project: Project, name: str) -> DeclarationHistory:
    """Find a name in the specs, and its file in git. A spec that was removed is searched for by its text."""
    git = env.git(project.root)
    try:
        specs = load(project, now=env.now()).specs
    except ReconcilerError:  # the timeline is shown even if specs are invalid
        specs = ()
    for spec in specs:
        if spec.name == name:
            files = (spec.declared_at.path,)
            works = frozenset(key.work for key in spec.run_keys)
            return DeclarationHistory(declared=True, files=files, works=works, commits=git.commits_of(files))
    if re.fullmatch(NAME_PATTERN, name) is None:
        return DeclarationHistory(declared=False)
    where = project.relative(str(project.spec_root))
    gone = git.files_declaring(name, below=where)
    return DeclarationHistory(declared=False, files=gone, commits=git.commits_of(gone))

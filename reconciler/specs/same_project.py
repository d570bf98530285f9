"""Find settings files in other folders of the repository that declare the same project.

Each of them would hold the jobs of the others, and neither could change them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler import file_access
from reconciler.errors import SpecError
from reconciler.settings import Limits
from reconciler.specs.project import Project, settings_error
from reconciler.specs.yaml.reader import read
from reconciler.specs.yaml.source import QUOTE_ALL, SourceFile, decode


def check_same_project(project: Project, top: Path | None, tracked: Iterable[Path]) -> None:
    """Refuse a project that another settings file of the repository, whose root is `top`, declares too.

    Raises:
        SpecError: there is one.
    """
    name = project.settings.project
    for path in sorted(tracked):
        if top is not None and path != project.config_path and name in _projects(path, top):
            there = path.relative_to(top).as_posix()
            message = f"project: {there} declares the project {name} too"
            hint = "give each file its own project; if a folder was moved, delete its old file and see `moved_from`"
            raise settings_error(project, project.overlay.project_field, message, hint)


def _projects(path: Path, top: Path) -> Iterator[str]:
    """Yield the project of a settings file, if it can be read: `validate` in its folder reports its mistakes."""
    try:
        source = decode(path.name, file_access.read(path, Limits().spec_bytes, root=top), QUOTE_ALL)
        documents, _ = read(source, Limits()) if isinstance(source, SourceFile) else ((), ())
    except (OSError, SpecError):
        return
    for document in documents[:1]:
        yield document.text(("project",))
        environments = document.at(("environments",))
        for name in environments if isinstance(environments, dict) else ():
            yield document.text(("environments", name, "project"))

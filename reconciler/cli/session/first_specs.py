"""The first specs of a project, which `init` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.specs import scaffold
from reconciler.specs.files import Listing
from reconciler.specs.place import Wanted
from reconciler.specs.project import Project


def first_specs(env: Environment, project: Project, table: Path | None) -> Sequence[Wanted]:
    """Return a spec for a table, or if there is no spec yet an example."""
    if table is not None:
        return for_table(project, env.cwd / table)
    if has_specs(project):
        return ()
    return scaffold.example(project.relative(str(project.spec_root)), project.settings.project)


def for_table(project: Project, table: Path) -> Sequence[Wanted]:
    """Return a spec for a table, with its columns, and a prompt.

    Raises `ReconcilerError` if the table is not in the project, or cannot be read.
    """
    from reconciler.model import InputFile, TableRows
    from reconciler.rows.read import columns_of
    from reconciler.rows.row import KINDS, RowsError

    kind = KINDS.get(table.suffix.lower())
    if kind is None or not table.resolve().is_relative_to(project.root):
        message = f"{table.name} is no table in {project.root}"
        raise ReconcilerError(message, hint=f"put it there, as one of {', '.join(KINDS)}")
    path = table.resolve().relative_to(project.root).as_posix()
    source = TableRows(
        kind=kind, files=(InputFile(path=path, sha256="", size=0),), custom_id="{{x}}", body=b"{}"
    )
    try:
        columns = columns_of(source, project.root)
    except (RowsError, OSError) as error:
        hint = getattr(error, "hint", "make it readable")
        why = getattr(error, "strerror", None) or error
        raise ReconcilerError(f"{path} cannot be read: {why}", hint=hint) from error
    if not columns:
        raise ReconcilerError(f"{path} has no columns", hint="its first line names them")
    return scaffold.for_table(project.relative(str(project.spec_root)), path, columns)


def has_specs(project: Project) -> bool:
    """Whether the project has specs."""
    folder = project.spec_root
    return folder.is_dir() and bool(Listing(str(folder), str(project.root)).specs)

"""Render the rows of specs, and return the problems with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace as replaced
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from reconciler.errors import Problem, ReconcilerError
from reconciler.model import InputFile, JobSpec, TableRows
from reconciler.rows.requests import render
from reconciler.settings import Limits


def rendered_spec(
    spec: JobSpec, root: Path, folder: Path, limits: Limits, known: dict[str, InputFile]
) -> Iterator[Problem]:
    """Render the rows of a spec that are not in `known`, add them, and yield the problems.

    Raises `ReconcilerError` if a file cannot be written.
    """
    for part in spec.inputs:
        if (
            isinstance(part, TableRows)
            and part.identity not in known
            and not any(it.elsewhere for it in part.files)
        ):
            path = folder / f"{part.identity.rpartition(':')[2]}.jsonl"
            try:
                found = render(part, root, path, longest=limits.line_bytes)
            except OSError as error:
                raise ReconcilerError(
                    f"the requests of {spec.name} cannot be rendered: {error.strerror}",
                    hint=f"look at {error.filename or path}",
                ) from error
            yield from placed(found.problems, spec)
            if not found.problems:
                known[part.identity] = found.file


def placed(problems: Iterable[Problem], spec: JobSpec) -> Iterator[Problem]:
    """Yield problems; those that have no place, which are those of a query, with the place of their spec."""
    at = spec.declared_at
    for it in problems:
        yield it if it.path else replaced(it, path=at.path, line=at.line, message=f"rows: {it.message}")


def checked(
    specs: Sequence[JobSpec], root: Path, limits: Limits
) -> tuple[tuple[JobSpec, ...], list[Problem]]:
    """Return specs with their requests counted, if this clone has their tables, and the problems of all rows.

    Raises `ReconcilerError` if a file cannot be read or written.
    """
    known: dict[str, InputFile] = {}
    with TemporaryDirectory(prefix="reconciler-") as folder:
        problems = [
            it
            for spec in specs
            if not any(isinstance(part, TableRows) and part.absent for part in spec.inputs)
            for it in rendered_spec(spec, root, Path(folder), limits, known)
        ]
    found = (
        replace(spec, inputs=tuple(known.get(part.identity, part) for part in spec.inputs)) for spec in specs
    )
    return tuple(found), problems

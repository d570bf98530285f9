"""The first requests of a spec, as they would be submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path

from msgspec import Struct

from reconciler import file_access
from reconciler.errors import ReconcilerError, SpecError
from reconciler.model import InlineRequests, InputFile, JobSpec, TableRows
from reconciler.rows.of_specs import placed
from reconciler.rows.requests import Problems, lines, template_of
from reconciler.rows.template import Value


class Sample(Struct, frozen=True):
    """A request."""

    line: bytes
    """Without its line feed."""
    place: str
    """`FILE:LINE` of the request, or of its row."""
    cells: Mapping[str, Value] = {}
    """The cells of its row that the template uses."""


def first_requests(spec: JobSpec, root: Path, count: int) -> list[Sample]:
    """Return the first requests of a spec.

    Raises `SpecError` if a row makes no valid request, and `ReconcilerError` if a file cannot be read.
    """
    found: list[Sample] = []
    for part in spec.inputs:
        try:
            if isinstance(part, TableRows):
                found += _of_rows(spec, part, root, count - len(found))
            elif isinstance(part, InlineRequests):
                found += islice(_of_lines(BytesIO(part.lines), spec.declared_at.path), count - len(found))
            elif isinstance(part, InputFile) and not part.pointer:
                with file_access.open_to_read(root / part.path) as stream:
                    found += islice(_of_lines(stream, part.path), count - len(found))
        except OSError as error:
            raise ReconcilerError(
                f"an input of {spec.name} cannot be read: {error.strerror}", hint=f"look at {error.filename}"
            ) from error
    if not found:
        raise ReconcilerError(f"no request of {spec.name} is in this clone", hint="fetch its input files")
    return found


def _of_rows(spec: JobSpec, source: TableRows, root: Path, count: int) -> list[Sample]:
    problems = Problems(source)
    found = [
        Sample(line.rstrip(b"\n"), row.where, row.cells)
        for row, line in islice(lines(source, root, template_of(source), problems.add), count)
    ]
    if problems:
        raise SpecError(tuple(placed(problems.shown(), spec)))
    return found


def _of_lines(stream: Iterator[bytes] | BytesIO, path: str) -> Iterator[Sample]:
    return (Sample(line.rstrip(b"\n"), f"{path}:{number}") for number, line in enumerate(stream, start=1))

"""Render the requests of a table: one line of an input file for each row, in the order of the rows."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.catalogue.workload import DYNAMIC, Load
from reconciler.errors import Problem
from reconciler.model import InputFile, TableRows
from reconciler.rows.read import read_rows
from reconciler.rows.row import Row, RowsError
from reconciler.rows.template import CellError, Template, compiled
from reconciler.text.plural import pluralize

MAX_LISTED: Final = 20
"""Problems of one table that are listed; the others are counted."""
_PARTS: Final = 256
"""Lists of ids: each is checked for equal ones by itself, so that little of it is in memory as objects."""


class Rendered(Struct, frozen=True):
    """The requests of a table."""

    file: InputFile
    problems: tuple[Problem, ...] = ()
    """If there are any, the file must not be used."""


def render(source: TableRows, root: Path, file: Path, *, longest: int) -> Rendered:
    """Write the requests of a table to a file below `root`, the project root, to which paths are relative.

    A file that exists is replaced. A line may have `longest` bytes. Raises `OSError` if a file of the table cannot be
    read, or the file cannot be written.
    """
    template = template_of(source)
    found = Problems(source)
    ids = _Ids()
    load, dynamic = Load(), any(slot.steps and slot.steps[-1] in DYNAMIC for slot in template.slots)
    digest, size, count, most = hashlib.sha256(), 0, 0, 0
    file_access.make_folder(file.parent)
    part = file.with_suffix(f".{os.getpid()}.part")  # another run may render the same at the same time
    with file_access.recreate(part) as target:
        for row, line in lines(source, root, template, found.add):
            if len(line) > longest:
                found.add(
                    RowsError(
                        f"a request of {len(line):,} bytes; at most {longest:,}",
                        "shorten its cells, or raise `limits.line_bytes`",
                        *row[:2],
                    )
                )
                continue
            target.write(line)
            digest.update(line)
            size += len(line)
            most = max(most, len(line))
            if dynamic or not count:
                load.add([msgspec.json.decode(line)["body"]])
            count += 1
            ids.add(line)
    if ids.doubled() and not found:
        _find_doubled(source, root, template, ids.doubled(), found)
    if not count and not found:
        found.add(RowsError("the table has no rows", "a job needs at least one request"))
    for each in source.files:
        if not found and _digest(root / each.path) != each.sha256:
            found.add(
                RowsError(
                    "the file changed while it was read", "run again once it no longer changes", each.path
                )
            )
    part.replace(file)
    path = os.path.relpath(file, root).replace(os.sep, "/")
    if not dynamic:
        load.merge(load, times=count - 1)
    rendered = InputFile(
        path=path,
        sha256=digest.hexdigest(),
        size=size,
        requests=count,
        workload=load.workload(requests=count, size=size - count, longest=max(0, most - 1)),
        rows=source,
    )
    return Rendered(rendered, found.shown())


def template_of(source: TableRows) -> Template:
    """Return the template of rows that were checked."""
    return compiled(source.custom_id, msgspec.json.decode(source.body))


def lines(
    source: TableRows, root: Path, template: Template, refuse: Callable[[RowsError], None]
) -> Iterator[tuple[Row, bytes]]:
    """Yield the rows and their requests. `refuse` gets the problem of each row that cannot be one. Raises `OSError`."""
    try:
        for row in read_rows(source, root, template.columns):
            try:
                line = template.render(row.cells)
            except CellError as error:
                refuse(RowsError(f"`{error.column}`: {error}", error.hint, *row[:2], error.column))
                continue
            if line.startswith(b'{"custom_id":"",'):
                refuse(RowsError("`custom_id` is empty", "fill the cells that it is made of", *row[:2]))
                continue
            yield row, line
    except RowsError as error:
        refuse(error)


class _Ids:
    """Finds equal ids of millions of lines: only hashes of them are in memory."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(_PARTS)]

    def add(self, line: bytes) -> None:
        """Add the id of a request."""
        mark = hash(id_of(line))
        self._parts[mark % _PARTS].append(mark)

    def doubled(self) -> frozenset[int]:
        """Return the hashes that more than one id has."""
        return frozenset(
            mark
            for part in self._parts
            if len(set(part)) < len(part)
            for mark, number in Counter(part).items()
            if number > 1
        )


def id_of(line: bytes) -> bytes:
    """Return the `custom_id` of a rendered request, as JSON."""
    return line[13 : line.index(b'"body":{') - 1]


def _find_doubled(
    source: TableRows, root: Path, template: Template, suspects: frozenset[int], found: Problems
) -> None:
    first: dict[bytes, Row] = {}
    for row, line in lines(source, root, template, found.add):
        own = id_of(line)
        if hash(own) in suspects:
            used = first.setdefault(own, row)
            if used is not row:
                message = f"`custom_id` was used before, in {used.where}"
                found.add(RowsError(message, "make it of columns that are different in each row", *row[:2]))


class Problems:
    """Collects the problems of a table: the first are listed, the others counted."""

    def __init__(self, source: TableRows) -> None:
        self._path = source.files[0].path if source.kind != "sql" else ""
        self._listed: list[Problem] = []
        self._more = 0

    def add(self, error: RowsError) -> None:
        """Add a problem. That of a query has no path: its place is the spec."""
        if len(self._listed) == MAX_LISTED:
            self._more += 1
            return
        path = error.file or self._path
        row = f"row {error.line}: " if error.line and not path else ""
        self._listed.append(
            Problem(path=path, line=error.line if path else 0, message=f"{row}{error}", hint=error.hint)
        )

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._listed)

    def shown(self) -> tuple[Problem, ...]:
        """Return the problems to show."""
        if not self._more:
            return tuple(self._listed)
        rest = Problem(path=self._path, message=f"{pluralize(self._more, 'more row')} with a problem")
        return (*self._listed, rest)


def _digest(path: Path) -> str:
    with file_access.open_to_read(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # has readinto

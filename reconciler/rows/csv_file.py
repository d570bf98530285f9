"""Read a file of CSV. Its cells are text, exactly as they are written, unless the spec gives their column a type."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from reconciler import file_access
from reconciler.rows.row import Row, RowsError, delimiter_of, require
from reconciler.rows.template import Value
from reconciler.text.plural import pluralize

MAX_LINE: Final = 32_000_000
"""Characters of a line or a cell of CSV (`csv` has 128 KiB, for the whole process), and bytes of a line of JSON."""


class Csv(NamedTuple):
    """A file of CSV, of which the header is read."""

    header: Sequence[str]
    """Without spaces around the names."""
    delimiter: str
    reader: Any
    """That of the module `csv`."""
    text: io.TextIOWrapper
    """Kept until the stream is closed, because it closes the stream."""


def csv_of(stream: BinaryIO, path: str) -> Csv:
    """Read the header of CSV. Raises `RowsError` if it is none."""
    csv.field_size_limit(MAX_LINE)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    first = text.readline(MAX_LINE)
    text.seek(0)
    delimiter = delimiter_of(first, path)
    reader = csv.reader(_lines(text), strict=True, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, ())]
    except csv.Error as error:
        raise _no_csv(error, path, 1) from None
    if not header:
        what = "the first line is empty" if first else "the file is empty"
        raise RowsError(what, "the first line names the columns", path, 1)
    if re.search("[\0\ud800-\udfff]", "".join(header)):
        raise RowsError("the first line is not UTF-8", "save the file as UTF-8", path, 1)
    return Csv(header, delimiter, reader, text)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for line in iter(partial(text.readline, MAX_LINE), ""):
        if len(line) == MAX_LINE:
            raise csv.Error(f"a line of {MAX_LINE:,} characters or more")
        yield line


def _no_csv(error: csv.Error, path: str, line: int) -> RowsError:
    hint = "put a cell with a quotation mark in quotes, double the mark, and close the quotes"
    return RowsError(f"not CSV: {error}", hint, path, line)


def csv_rows(root: Path, path: str, columns: Sequence[str], types: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a file. `types` has the types of columns that are not text.

    Raises `RowsError` if a column is missing or doubled, or a row cannot be read; `OSError` if the file cannot be read.
    """
    with file_access.open_to_read(root / path) as stream:
        found = csv_of(stream, path)
        header, reader = found.header, found.reader
        require((*columns, *types), header, path)
        kept = [
            (at, name, CELL_TYPES.get(types.get(name, "")))
            for at, name in enumerate(header)
            if name in columns
        ]
        doubled = next((name for _, name, _ in kept if header.count(name) > 1), None)
        if doubled is not None:
            raise RowsError(f"two columns are named `{doubled}`", "give each its own name", path, 1, doubled)
        line = reader.line_num + 1
        try:
            for cells in reader:
                if len(cells) == len(header):
                    row = {name: _typed(cells[at], cast, (path, line, name)) for at, name, cast in kept}
                    yield Row(path, line, row)
                elif cells:
                    message = f"a row of {pluralize(len(cells), 'cell')}; the header has {len(header)}"
                    hint = "put a cell with a delimiter or a quotation mark in quotes"
                    raise RowsError(message, hint, path, line)
                line = reader.line_num + 1
        except csv.Error as error:
            raise _no_csv(error, path, line) from None


def _typed(cell: str, cast: Callable[[str], Value] | None, place: tuple[str, int, str]) -> Value:
    if cast is None:
        return cell
    try:
        return cast(cell)
    except (ValueError, KeyError):
        message = f"`{place[-1]}`: the cell does not have the type of its column"
        raise RowsError(message, "change the cell, or the type in `columns`", *place) from None


def _integer(cell: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", cell):
        raise ValueError(cell)
    return int(cell)


def _decimal(cell: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", cell):
        raise ValueError(cell)
    return Decimal(cell)


CELL_TYPES: Final[Mapping[str, Callable[[str], Value]]] = {
    "text": str,
    "integer": lambda cell: _integer(cell) if cell else None,
    "decimal": lambda cell: _decimal(cell) if cell else None,
    "boolean": lambda cell: {"true": True, "false": False}[cell.lower()] if cell else None,
}
"""What makes a value of a cell of CSV. An empty cell of a column that is not text is null."""

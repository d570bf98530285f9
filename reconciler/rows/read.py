"""Read the rows of CSV, JSON lines, Parquet and single files, as a stream.

Cells of CSV are text, exactly as they are written, unless the spec gives their column a type. JSON lines and Parquet
have types of their own. A row has its place, for messages: the file, and the line or the number of the row.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias

import msgspec

from reconciler import file_access
from reconciler.model import TableRows
from reconciler.rows.row import Row, RowsError, delimiter_of, require
from reconciler.rows.template import Value
from reconciler.text.plural import pluralize

MAX_LINE: Final = 32_000_000
"""Characters of a line or a cell of CSV (`csv` has 128 KiB, for the whole process), and bytes of a line of JSON.

DuckDB's own limits are 2 and 16 MB.
"""
MAX_FILE: Final = 1 << 26
"""Bytes of a file that is a row."""
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that some programs write first."""
FILE_COLUMNS: Final = ("path", "stem", "sha256", "data_url")
"""The columns of a table of files."""
MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".avif": "image/avif",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".wav": "audio/wav",
    ".webp": "image/webp",
}
"""The media type in `data_url`. The module `mimetypes` reads files of the machine, so it differs between machines."""


_SAVE: Final = "save the file as UTF-8"
Reader: TypeAlias = Callable[[TableRows, Path, Sequence[str]], Iterator[Row]]


def read_rows(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table, with at least the columns that are asked for.

    Raises `RowsError` if a column is missing, or a row cannot be read; `OSError` if a file cannot be read.
    """
    _require_content(source)
    return _READERS[source.kind](source, root, columns)


def _require_content(source: TableRows) -> None:
    if source.absent:
        raise RowsError("only a Git LFS pointer is in this clone", "git lfs pull", source.absent)


def header_of(source: TableRows, root: Path) -> tuple[str, ...]:
    """Return the columns of a table that can be read cheaply, () of others: the first line of CSV or JSON lines.

    Raises `RowsError` if the line cannot be read, and `OSError` if the file cannot be read.
    """
    return tuple(_head(source, root))


def _head(source: TableRows, root: Path) -> Mapping[str, Any]:
    if source.kind not in ("csv", "jsonl") or not source.files or source.absent:
        return dict.fromkeys(FILE_COLUMNS if source.kind == "files" else ())
    path = source.files[0].path
    with file_access.open_to_read(root / path) as stream:
        if source.kind == "csv":
            found = csv_of(stream, path)
            return dict.fromkeys(found.header)
        return next((row for _, row in _objects(stream, path)), {})


def columns_of(source: TableRows, root: Path) -> tuple[str, ...]:
    """Return the columns of a table to show: those with plain values.

    Raises `RowsError` if it cannot be read, and `OSError` if a file cannot be read.
    """
    from reconciler.rows.query import plain_columns  # noqa: PLC0415 - it loads DuckDB

    _require_content(source)
    found = _head(source, root) or dict.fromkeys(plain_columns(source, root))
    hidden = {"data_url"} if source.kind == "files" else set()
    return tuple(name for name, it in found.items() if name not in hidden and not isinstance(it, list | dict))


def _csv(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    typed = {name: CELL_TYPES[kind] for name, kind in source.columns.items()}
    for each in source.files:
        with file_access.open_to_read(root / each.path) as stream:
            found = csv_of(stream, each.path)
            yield from _csv_rows(found, each.path, columns, typed)


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
        raise RowsError("the first line is not UTF-8", _SAVE, path, 1)
    return Csv(header, delimiter, reader, text)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for line in iter(partial(text.readline, MAX_LINE), ""):
        if len(line) == MAX_LINE:
            raise csv.Error(f"a line of {MAX_LINE:,} characters or more")
        yield line


def _no_csv(error: csv.Error, path: str, line: int) -> RowsError:
    hint = "put a cell with a quotation mark in quotes, double the mark, and close the quotes"
    return RowsError(f"not CSV: {error}", hint, path, line)


def _csv_rows(
    found: Csv, path: str, columns: Sequence[str], typed: Mapping[str, Callable[[str], Value]]
) -> Iterator[Row]:
    header, reader = found.header, found.reader
    require((*columns, *typed), header, path)
    kept = [(at, name, typed.get(name)) for at, name in enumerate(header) if name in columns]
    doubled = next((name for _, name, _ in kept if header.count(name) > 1), None)
    if doubled is not None:
        raise RowsError(
            f"two columns are named `{doubled}`", "give each column its own name", path, 1, doubled
        )
    line = reader.line_num + 1
    try:
        for cells in reader:
            if len(cells) != len(header) and cells:
                message = f"a row of {pluralize(len(cells), 'cell')}; the header has {len(header)}"
                raise RowsError(
                    message, "put a cell with a delimiter or a quotation mark in quotes", path, line
                )
            if cells:
                yield Row(
                    path, line, {name: _typed(cells[at], cast, (path, line, name)) for at, name, cast in kept}
                )
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


def _jsonl(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    for each in source.files:
        with file_access.open_to_read(root / each.path) as stream:
            header: Mapping[str, Any] | None = None
            for number, found in _objects(stream, each.path):
                if header is None:
                    header = found
                    require(columns, list(header), each.path, number)
                yield Row(
                    each.path,
                    number,
                    {name: _plain(found.get(name), (each.path, number, name)) for name in columns},
                )


_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


def _objects(stream: BinaryIO, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of JSON lines with their line numbers. Raises `RowsError`."""
    for number, line in enumerate(iter(partial(stream.readline, MAX_LINE), b""), start=1):
        try:
            if line.strip():
                yield number, _decode(line.removeprefix(_MARK) if number == 1 else line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            why = f"a line of {MAX_LINE:,} bytes or more" if len(line) == MAX_LINE else str(error)
            hint = 'each line is one row: `{"id": "1"}`'
            raise RowsError(f"not a JSON object: {why}", hint, path, number) from None


def _plain(value: Any, place: tuple[str, int, str]) -> Value:  # noqa: ANN401 - any JSON
    if isinstance(value, list | dict):
        hint = "a query can make text of it: `to_json(column)`"
        raise RowsError(f"`{place[-1]}`: a list or an object", hint, *place)
    return value  # type: ignore[no-any-return]  # JSON has no other values


def _files(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    require(columns, FILE_COLUMNS, "")
    for number, each in enumerate(source.files, start=1):
        path = Path(each.path)
        cells: dict[str, Value] = {"path": each.path, "stem": path.stem, "sha256": each.sha256}
        if "data_url" in columns:
            kind = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
            with file_access.open_to_read(root / each.path) as stream:
                content = stream.read(MAX_FILE + 1)
                if len(content) > MAX_FILE:
                    raise RowsError("the file is too large", f"at most {MAX_FILE:,} bytes", each.path)
                cells["data_url"] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        yield Row(each.path, number, cells)


def _queried(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    from reconciler.rows.query import query  # noqa: PLC0415 - it loads DuckDB

    return query(source, root, columns)


_READERS: Final[Mapping[str, Reader]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _queried,
    "files": _files,
    "sql": _queried,
}

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
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from reconciler import file_access
from reconciler.model import TableRows
from reconciler.rows.row import Row, RowsError, delimiter_of, require
from reconciler.rows.template import Value

MAX_CELL: Final = 1 << 27
"""Characters of one cell of CSV (`csv` has 128 KiB, for the whole process), and bytes of a line or a file."""
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


Reader: TypeAlias = Callable[[TableRows, Path, Sequence[str]], Iterator[Row]]


def read_rows(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table, with at least the columns that are asked for.

    Raises `RowsError` if a column is missing, or a row cannot be read; `OSError` if a file cannot be read.
    """
    return _READERS[source.kind](source, root, columns)


def header_of(source: TableRows, root: Path) -> tuple[str, ...]:
    """Return the columns of a table that can be read cheaply, () of others: the first line of CSV or JSON lines.

    Raises `RowsError` if the line cannot be read, and `OSError` if the file cannot be read.
    """
    if source.kind not in ("csv", "jsonl") or not source.files:
        return FILE_COLUMNS if source.kind == "files" else ()
    with file_access.open_to_read(root / source.files[0].path) as stream:
        if source.kind == "jsonl":
            found = _decoded(stream.readline(), source.files[0].path, 1)
            return tuple(found)
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            first = text.readline()
            text.seek(0)
            return tuple(next(csv.reader(text, strict=True, delimiter=delimiter_of(first)), ()))
        except csv.Error:  # rendering says where
            return ()


def columns_of(source: TableRows, root: Path) -> tuple[str, ...]:
    """Return the columns of a table to show; of Parquet and of a query, those with plain values.

    Raises `RowsError` if it cannot be read, and `OSError` if a file cannot be read.
    """
    from reconciler.rows.query import plain_columns  # noqa: PLC0415 - it loads DuckDB

    found = header_of(source, root) or plain_columns(source, root)
    return tuple(name for name in found if source.kind != "files" or name != "data_url")


def _csv(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL)
    typed = {name: CELL_TYPES[kind] for name, kind in source.columns.items()}
    for each in source.files:
        with file_access.open_to_read(root / each.path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
            yield from _csv_rows(text, each.path, columns, typed)


def _csv_rows(
    text: io.TextIOWrapper, path: str, columns: Sequence[str], typed: Mapping[str, Callable[[str], Value]]
) -> Iterator[Row]:
    line = 1
    try:
        first = text.readline()
        text.seek(0)
        reader = csv.reader(text, strict=True, delimiter=delimiter_of(first))
        header = next(reader, [])
        _require_header(header, path)
        require((*columns, *typed), header, path)
        kept = [(at, name, typed.get(name)) for at, name in enumerate(header) if name in columns]
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) != len(header) and cells:
                message = f"a row of {len(cells)} cells; the header has {len(header)}"
                raise RowsError(
                    message, "put a cell with a delimiter or a quotation mark in quotes", path, line
                )
            if cells:
                yield Row(
                    path, line, {name: _typed(cells[at], cast, (path, line, name)) for at, name, cast in kept}
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise RowsError(
            f"not CSV: {error}", "put a cell with a quotation mark in quotes, and double the mark", path, line
        ) from None


def _require_header(header: Sequence[str], path: str) -> None:
    doubled = next((name for at, name in enumerate(header) if name in header[:at]), None)
    if not header:
        raise RowsError("the file is empty", "the first line names the columns", path, 1)
    if doubled is not None:
        raise RowsError(
            f"two columns are named `{doubled}`", "give each column its own name", path, 1, doubled
        )


def _typed(cell: str, cast: Callable[[str], Value] | None, place: tuple[str, int, str]) -> Value:
    if cast is None:
        return cell
    try:
        return cast(cell)
    except (ValueError, InvalidOperation):
        raise RowsError(
            "the cell does not have the type of its column", "change the cell or `rows.columns`", *place
        ) from None


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
            for number, line in enumerate(iter(partial(stream.readline, MAX_CELL), b""), start=1):
                if not line.strip():
                    continue
                found = _decoded(line, each.path, number)
                if number == 1:
                    require(columns, list(found), each.path)
                yield Row(
                    each.path,
                    number,
                    {name: _plain(found.get(name), (each.path, number, name)) for name in columns},
                )


_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def _decoded(line: bytes, path: str, number: int) -> dict[str, Any]:
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RowsError("not a JSON object", 'each line is one row: `{"id": "1"}`', path, number) from None


def _plain(value: Any, place: tuple[str, int, str]) -> Value:  # noqa: ANN401 - any JSON
    if isinstance(value, list | dict):
        raise RowsError("a list or an object", "a query can make text of it: `to_json(column)`", *place)
    return value  # type: ignore[no-any-return]  # JSON has no other values


def _files(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    require(columns, FILE_COLUMNS, "")
    for number, each in enumerate(source.files, start=1):
        path = Path(each.path)
        cells: dict[str, Value] = {"path": each.path, "stem": path.stem, "sha256": each.sha256}
        if "data_url" in columns:
            kind = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
            with file_access.open_to_read(root / each.path) as stream:
                content = stream.read(MAX_CELL)
                if len(content) == MAX_CELL:
                    raise RowsError("the file is too large", f"at most {MAX_CELL:,} bytes", each.path)
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

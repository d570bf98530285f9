"""Read the rows of CSV, JSON lines, Parquet and single files, as a stream.

Cells of CSV are text, exactly as they are written, unless the spec gives their column a type. JSON lines and Parquet
have types of their own. A row has its place, for messages: the file, and the line or the number of the row.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import msgspec

from reconciler import file_access
from reconciler.model import TableRows
from reconciler.rows.csv_file import MAX_LINE, csv_of, csv_rows
from reconciler.rows.row import Row, RowsError, require
from reconciler.rows.template import Value

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


Reader: TypeAlias = Callable[[TableRows, Path, Sequence[str]], Iterator[Row]]


def read_rows(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table, with at least the columns that are asked for.

    Raises `RowsError` if a column is missing, or a row cannot be read; `OSError` if a file cannot be read.
    """
    _require_content(source)
    return _READERS[source.kind](source, root, columns)


def _require_content(source: TableRows) -> None:
    if source.absent:
        by_uri = "://" in source.absent
        message = (
            "its content is not on this machine" if by_uri else "only a Git LFS pointer is in this clone"
        )
        raise RowsError(message, "apply fetches it" if by_uri else "git lfs pull", source.absent)


def header_of(source: TableRows, root: Path) -> Mapping[str, Any]:
    """Return the columns of a table that can be read cheaply, {} of others: the first line of CSV or JSON lines.

    Each has its first value in JSON lines, and a list if two columns have the name. Raises `RowsError` if the line
    cannot be read, and `OSError` if the file cannot be read.
    """
    if source.kind not in ("csv", "jsonl") or not source.files or source.absent:
        return dict.fromkeys(FILE_COLUMNS if source.kind == "files" else ())
    path = source.files[0].path
    with file_access.open_to_read(root / path) as stream:
        if source.kind == "csv":
            found = csv_of(stream, path)
            return {name: [] if many > 1 else "" for name, many in Counter(found.header).items()}
        return next((row for _, row in _objects(stream, path)), {})


def columns_of(source: TableRows, root: Path) -> tuple[str, ...]:
    """Return the columns of a table to show: those with plain values.

    Raises `RowsError` if it cannot be read, and `OSError` if a file cannot be read.
    """
    from reconciler.rows.query import plain_columns  # noqa: PLC0415 - it loads DuckDB

    _require_content(source)
    found = header_of(source, root) or dict.fromkeys(plain_columns(source, root))
    hidden = ("", "data_url" if source.kind == "files" else "")
    return tuple(name for name, it in found.items() if name not in hidden and not isinstance(it, list | dict))


def _csv(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    for each in source.files:
        yield from csv_rows(root, each.path, columns, source.columns)


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

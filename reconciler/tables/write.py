"""Write a table as CSV, JSON lines or Parquet.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula. So in CSV a text that begins with one of
these, white space before it or not, gets an apostrophe in front; numbers do not, and the other formats never.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access
from reconciler.errors import ReconcilerError
from reconciler.tables.rows import BOOLEAN, INTEGER, JSON, NUMBER, TEXT, Column
from reconciler.text.sanitize import without_formula

CSV: Final = "csv"
JSONL: Final = "jsonl"
PARQUET: Final = "parquet"
FORMATS: Final = (CSV, JSONL, PARQUET)
ROWS_AT_A_TIME: Final = 1000
MAX_ROW_BYTES: Final = 1_000_000_000
_SQL: Final = {TEXT: "VARCHAR", JSON: "VARCHAR", INTEGER: "BIGINT", NUMBER: "DOUBLE", BOOLEAN: "BOOLEAN"}

Values = Mapping[str, Any]


def write_table(path: Path, form: str, columns: Sequence[Column], rows: Iterable[Values]) -> int:
    """Write a table in one of `FORMATS`, completely or not at all, and return the number of rows.

    A file that exists is replaced. Raises `ReconcilerError` if Parquet needs a package that is not installed, and
    `OSError` if the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        count = _parquet(part, columns, rows) if form == PARQUET else _text(part, form, columns, rows)
        part.replace(file_access.unlinked(path))
    finally:
        part.unlink(missing_ok=True)
    return count


def _text(path: Path, form: str, columns: Sequence[Column], rows: Iterable[Values]) -> int:
    count, encode = 0, _csv if form == CSV else _jsonl
    with file_access.recreate(path) as file:
        if form == CSV:
            file.write(_csv(columns, [{column.name: column.name for column in columns}]))
        for some in _batches(rows):
            file.write(encode(columns, some))
            count += len(some)
    return count


def _jsonl(columns: Sequence[Column], rows: Iterable[Values]) -> bytes:
    return msgspec.json.Encoder().encode_lines(
        [{it.name: row.get(it.name) for it in columns} for row in rows]
    )


def _csv(columns: Sequence[Column], rows: Iterable[Values]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(row.get(column.name)) for column in columns] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:  # noqa: ANN401 - of any column
    if isinstance(value, str):
        return without_formula(value)
    return "" if value is None else str(value).lower()


def _parquet(path: Path, columns: Sequence[Column], rows: Iterable[Values]) -> int:
    try:
        import duckdb  # noqa: PLC0415 - the package is an extra
    except ModuleNotFoundError as error:
        raise ReconcilerError(
            "Parquet needs the package duckdb", hint='pip install "mistral-batch-reconciler[tables]"'
        ) from error
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".reconciler-") as folder:
        lines = Path(folder) / "rows.jsonl"
        count = _text(lines, JSONL, columns, rows)
        types = {column.name: _SQL[column.type] for column in columns}
        with duckdb.connect() as database:
            database.execute(
                "create table results as select * from read_json($file, format = 'newline_delimited', "
                "columns = $types, maximum_object_size = $most)",
                {"file": str(lines), "types": types, "most": MAX_ROW_BYTES},
            )
            database.table("results").write_parquet(str(path), compression="zstd")
    return count


def _batches(rows: Iterable[Values]) -> Iterator[list[Values]]:
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_A_TIME)):
        yield some

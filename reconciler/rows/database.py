"""Read tables with DuckDB. This module runs in a process of its own: see `query`."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access
from reconciler.model import TableRows
from reconciler.rows.csv_file import csv_of
from reconciler.rows.row import KINDS, RowsError, require
from reconciler.rows.select import checked, quoted_name
from reconciler.rows.template import compiled

MEMORY: Final = "200MB"
MAX_LINE: Final = 12_000_000
"""Bytes of a line of CSV or JSON. DuckDB needs several times as much memory, also if all lines are short."""
ADDRESSES: Final = 4 << 30
"""Bytes of addresses of the process; DuckDB's own limit does not count everything."""
AT_A_TIME: Final = 50
"""Rows: a few, because a cell may have megabytes."""
MAX_TEMPORARY: Final = "20GB"
TABLE: Final = "files"
"""The name of the table of a query whose files have no names of their own."""

_PLAIN: Final = re.compile(
    r"(VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$"
)
"""Types whose values are taken as they are."""
_AS_TEXT: Final = re.compile(r"(DATE|TIME|TIMESTAMP|INTERVAL|UUID|ENUM|BIGNUM|JSON|NULL|\"NULL\")")
"""Types whose values are taken in DuckDB's text form."""
_GUESSED: Final = re.compile(r"\b(UUID|TIME|JSON)(?=[,)\[]|$)")
"""Types in a type of DuckDB that its reader of JSON makes of texts, or of values of several types."""
_CSV_REASON: Final = re.compile(
    r"^(Expected Number of Columns: \d+ Found: \d+|Value with unterminated quote|Invalid unicode"
    r"|Error when converting column \"[^\"\n]*\"|Maximum line size)",
    re.MULTILINE,
)


def answer(folder: str, seconds: float) -> None:
    """Read a table as the child process: the task on stdin, rows or a message on stdout.

    `folder` is for temporary files, and `seconds` is how long the next rows may take.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    source, root, columns = msgspec.json.decode(
        sys.stdin.buffer.read(), type=tuple[TableRows, str, list[str]]
    )
    try:
        faulthandler.dump_traceback_later(seconds, exit=True)
        for found in read(source, Path(root), columns, folder):
            faulthandler.cancel_dump_traceback_later()
            _write(found)
            faulthandler.dump_traceback_later(seconds, exit=True)
        faulthandler.cancel_dump_traceback_later()
        _write({"end": True})
    except RowsError as error:
        _write({"error": [str(error), error.hint, error.file, error.line, error.column]})
    except MemoryError:
        _write({"error": ["the query needs too much memory", "let it read or sort less"]})
    except OSError as error:
        _write({"error": [f"a table cannot be read: {error.strerror}", "look at its files, and at the disk"]})


def _write(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def read(source: TableRows, root: Path, columns: Sequence[str], folder: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a query, or of each file of Parquet, in the process that calls it.

    Before them comes a message of their file and of the columns that are decimals. Raises `RowsError`.
    """
    paths = [file.path for file in source.files]
    pattern = next((path for path in paths if re.search(r"[*?[]", str(root / path))), None)
    if pattern:
        message = "its path has `*`, `?` or `[`, so DuckDB would read other files too"
        raise RowsError(message, "rename the file or its folder", pattern)
    with _opened(paths, root, folder) as database:
        if source.kind == "sql":
            views = source.views or {TABLE: tuple(paths)}
            with _explained(root, ""):
                for name, each in views.items():
                    database.execute(f"create view {quoted_name(name)} as {_reading(database, root, each)}")
                text = checked(database, source.sql, views)
                order = ", ".join(map(quoted_name, compiled(source.custom_id, {}).columns))
                yield from _rows(database, text, columns, "", f" order by {order}")
            return
        for path in paths:
            with _explained(root, path):
                yield from _rows(database, f"select * from {_parquet([root / path])}", columns, path, "")


def _rows(
    database: Any,  # noqa: ANN401 - DuckDB has no types
    text: str,
    columns: Sequence[str],
    path: str,
    order: str,
) -> Iterator[Mapping[str, Any]]:
    known = {name: str(kind) for name, kind, *_ in database.execute(f"describe {text}").fetchall()}
    require(columns, list(known), path, 0)
    wanted = ", ".join(_selected(name, known[name]) for name in columns)
    found = database.execute(f"select {wanted or '0'} from ({text}\n) as rows{order}")
    yield {
        "file": path,
        "decimals": [known[name].startswith("DECIMAL") for name in columns],
        "columns": [name for name, kind in known.items() if _is_plain(kind)],
    }
    while batch := found.fetchmany(AT_A_TIME):
        yield {"rows": batch}


def _selected(name: str, kind: str) -> str:
    """Return what selects a column as plain values. Raises `RowsError` for lists and the like."""
    quoted = quoted_name(name)
    if kind == "FLOAT":  # 0.1 is 0.10000000149011612 as DOUBLE
        return f"{quoted}::VARCHAR::DOUBLE as {quoted}"
    if _is_plain(kind):
        return quoted if _PLAIN.match(kind) else f"{quoted}::VARCHAR as {quoted}"
    hint = f"make text of it in a query: `to_json({name})`"
    raise RowsError(f"the column `{name}` is of type {kind[:60]}", hint, column=name)


def _is_plain(kind: str) -> bool:
    return bool(_PLAIN.match(kind) or (_AS_TEXT.match(kind) and not kind.endswith("]")))


@contextmanager
def _opened(paths: Sequence[str], root: Path, folder: str) -> Iterator[Any]:
    """Open a database in memory that can open nothing but some files. Raises `RowsError` without DuckDB."""
    try:
        import duckdb  # noqa: PLC0415 - the package is an extra
    except ModuleNotFoundError:
        message = "Parquet and `sql` need the package duckdb"
        raise RowsError(message, 'pip install "mistral-batch-reconciler[tables]"') from None
    with duckdb.connect() as database:
        for setting in (
            "threads = 1",
            f"memory_limit = '{MEMORY}'",
            f"temp_directory = {_text(folder)}",
            f"max_temp_directory_size = '{MAX_TEMPORARY}'",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "python_enable_replacements = false",
            f"allowed_paths = [{', '.join(_text(root / path) for path in paths)}]",
            "enable_external_access = false",
            "enable_progress_bar = false",
            "lock_configuration = true",
        ):
            database.execute(f"set {setting}")
        yield database


@contextmanager
def _explained(root: Path, path: str) -> Iterator[None]:
    """Turn an error of DuckDB into a `RowsError`, without the contents of cells, which may be confidential."""
    import duckdb  # noqa: PLC0415 - the package is an extra

    try:
        yield
    except duckdb.Error as error:
        whole = str(error).replace(f"{root}{os.sep}", "")
        path = (re.findall(r"^  file = (.*)$", whole, re.MULTILINE) or [path])[-1]
        first, hint, line = whole.partition("\n")[0][:300], "correct the query, or the files of the table", 0
        if found := re.search(r'(.*) in file "(.*?)".* in line (\d+)', first):
            first, path = found[1], found[2]
            line = int(found[3]) - first.endswith("Malformed JSON")  # DuckDB 2.0 counts one too many there
        elif found := re.search(r"(.*): CSV Error on Line: (\d+)", first):
            first, line = ": ".join((found[1], *_CSV_REASON.findall(whole)[:1])), int(found[2])
        elif "The CSV Parser state machine" in first:
            first, hint = "a table of CSV is not regular", "end all its lines in the same way"
        elif first.startswith(("Conversion", "Invalid", "Out of Range")):
            first = re.sub(r"""['"].*['"]|['"].*|(?<!\w)-?\d[\d.]*""", "…", ": ".join(first.split(": ")[:2]))
        raise RowsError(f"DuckDB: {first}", hint, path, line) from None


def _reading(database: Any, root: Path, paths: Sequence[str]) -> str:  # noqa: ANN401 - as above
    """Return a query for all rows of some files of one kind. Raises `RowsError`."""
    kind, files = KINDS[Path(paths[0]).suffix.lower()], [root / path for path in paths]
    if kind == "csv":
        return " union all by name ".join(map(_csv, files, paths))
    return f"select * from {_parquet(files) if kind == 'parquet' else _json(database, files)}"


def _parquet(files: Sequence[Path]) -> str:
    return f"read_parquet({_list(files)}, union_by_name = true, hive_partitioning = false)"


def _json(database: Any, files: Sequence[Path]) -> str:  # noqa: ANN401 - as above
    """Return what reads JSON lines: texts stay texts, although DuckDB would make dates, times and UUIDs of some."""
    reading = (
        f"read_json({_list(files)}, format = 'newline_delimited', sample_size = -1, "
        f"maximum_sample_files = 1000000, maximum_object_size = {MAX_LINE}, hive_partitioning = false, "
        f"dateformat = '{_NEVER}', timestampformat = '{_NEVER}'"
    )
    found = database.execute(f"describe from {reading})").fetchall()  # reads all of the files
    kinds = {name: _GUESSED.sub("VARCHAR", kind) for name, kind, *_ in found}
    return f"{reading}, columns = {_struct(kinds)})"


def _csv(file: Path, path: str) -> str:
    """Return a query for CSV that DuckDB reads as this package does: it guesses nothing, and all cells are texts."""
    with file_access.open_to_read(file) as stream:
        found = csv_of(stream, path)
    names = [name or f"column{at}" for at, name in enumerate(found.header)]
    lower = [name.lower() for name in names]
    doubled = next((name for name in names if lower.count(name.lower()) > 1), None)
    if doubled is not None:
        raise RowsError(f"two columns are named `{doubled}`", "give each column its own name", path, 1)
    return (
        f"select * from read_csv({_list([file])}, auto_detect = false, header = true, skip = 0, "
        f"columns = {_struct(dict.fromkeys(names, 'VARCHAR'))}, delim = {_text(found.delimiter)}, quote = '\"', "
        f"escape = '\"', comment = '', nullstr = '{_NEVER}', max_line_size = {MAX_LINE}, "
        f"buffer_size = {2 * MAX_LINE}, hive_partitioning = false)"
    )


_NEVER: Final = os.urandom(16).hex()
"""No cell is this text."""


def _list(files: Sequence[Path]) -> str:
    return f"[{', '.join(map(_text, files))}]"


def _struct(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_text(name)}: {_text(value)}" for name, value in values.items()) + "}"


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"

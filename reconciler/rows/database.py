"""Read tables with DuckDB. This module runs in a process of its own: see `query`."""

from __future__ import annotations

import faulthandler
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access
from reconciler.model import TableRows
from reconciler.rows.row import KINDS, RowsError, delimiter_of, require
from reconciler.rows.select import checked, quoted_name
from reconciler.rows.template import compiled

MEMORY: Final = "300MB"
ADDRESSES: Final = 4 << 30
"""Bytes of addresses of the process; DuckDB's own limit does not count everything."""
AT_A_TIME: Final = 50
"""Rows: a few, because a cell may have megabytes."""
MAX_LINE: Final = 32_000_000
"""Bytes of a line of CSV or JSON; DuckDB's own limits are 2 and 16 MB."""
MAX_TEMPORARY: Final = "20GB"
TABLE: Final = "files"
"""The name of the table of a query whose files have no names of their own."""

_PLAIN: Final = re.compile(
    r"(VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$"
)
"""Types whose values are taken as they are."""
_AS_TEXT: Final = re.compile(r"(DATE|TIME|TIMESTAMP|INTERVAL|UUID|ENUM|BIGNUM|NULL|\"NULL\")")
"""Types whose values are taken in DuckDB's text form."""


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
        _write({"message": str(error), "hint": error.hint, "column": error.column})
    except MemoryError:
        _write(
            {"message": "the query needs too much memory", "hint": "let it read or sort less", "column": ""}
        )


def _write(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def read(source: TableRows, root: Path, columns: Sequence[str], folder: str) -> Iterator[Mapping[str, Any]]:
    """Yield which columns are decimals, and then rows, in the process that calls it. Raises `RowsError`."""
    views = source.views or {TABLE: tuple(file.path for file in source.files)}
    with _opened(views, root, folder) as database:
        text = checked(database, source.sql, views) if source.kind == "sql" else f"select * from {TABLE}"
        known = {name: str(kind) for name, kind, *_ in database.execute(f"describe {text}").fetchall()}
        require(columns, list(known), "")
        wanted = ", ".join(_selected(name, known[name]) for name in columns)
        order = (
            ", ".join(map(quoted_name, compiled(source.custom_id, {}).columns))
            if source.kind == "sql"
            else ""
        )
        found = database.execute(
            f"select {wanted or '0'} from ({text}\n) as rows{order and f' order by {order}'}"
        )
        plain = [name for name, kind in known.items() if _is_plain(kind)]
        yield {"decimals": [known[name].startswith("DECIMAL") for name in columns], "columns": plain}
        while batch := found.fetchmany(AT_A_TIME):
            yield {"rows": batch}


def _selected(name: str, kind: str) -> str:
    """Return what selects a column as plain values. Raises `RowsError` for lists and the like."""
    quoted = quoted_name(name)
    if _is_plain(kind):
        return quoted if _PLAIN.match(kind) else f"{quoted}::VARCHAR as {quoted}"
    hint = f"make text of it in a query: `to_json({name})`"
    raise RowsError(f"the column `{name}` is of type {kind[:60]}", hint, column=name)


def _is_plain(kind: str) -> bool:
    return bool(_PLAIN.match(kind) or (_AS_TEXT.match(kind) and not kind.endswith("]")))


@contextmanager
def _opened(views: Mapping[str, Sequence[str]], root: Path, folder: str) -> Iterator[Any]:
    """Open a database in memory that has the views and can open nothing but their files."""
    try:
        import duckdb  # noqa: PLC0415 - the package is an extra
    except ModuleNotFoundError:
        message = "Parquet and `sql` need the package duckdb"
        raise RowsError(message, 'pip install "mistral-batch-reconciler[tables]"') from None
    with duckdb.connect() as database:
        try:
            paths = [str(root / path) for each in views.values() for path in each]
            for setting in (
                "threads = 1",
                f"memory_limit = '{MEMORY}'",
                f"temp_directory = {_text(folder)}",
                f"max_temp_directory_size = '{MAX_TEMPORARY}'",
                "autoinstall_known_extensions = false",
                "autoload_known_extensions = false",
                f"allowed_paths = {_list(paths)}",
                "enable_external_access = false",
                "enable_progress_bar = false",
            ):
                database.execute(f"set {setting}")
            for name, each in views.items():
                database.execute(
                    f"create view {quoted_name(name)} as {_reading([root / path for path in each])}"
                )
            database.execute("set lock_configuration = true")
            yield database
        except duckdb.Error as error:
            message = _without_cells(str(error))
            raise RowsError(f"DuckDB: {message}", "correct the query, or the files of the table") from None


def _without_cells(message: str) -> str:
    """Return the first line of a message, without the contents of cells, which may be confidential."""
    line = message.partition("\n")[0][:300]
    return re.sub(r"'.*'", "'…'", line) if line.startswith(("Conversion", "Invalid")) else line


def _reading(paths: Sequence[Path]) -> str:
    """Return a query for all rows of some files of one kind."""
    kind = KINDS[paths[0].suffix.lower()]
    if kind == "parquet":
        return f"select * from read_parquet({_list(paths)}, union_by_name = true)"
    if kind == "jsonl":
        return (
            f"select * from read_json({_list(paths)}, format = 'newline_delimited', sample_size = -1, "
            f"maximum_object_size = {MAX_LINE})"
        )
    with file_access.open_to_read(paths[0]) as stream:
        delimiter = delimiter_of(stream.readline().decode(errors="replace"))
    return (
        f"select * from read_csv({_list(paths)}, header = true, all_varchar = true, nullstr = '\\0', "
        f"delim = {_text(delimiter)}, quote = '\"', escape = '\"', union_by_name = true, "
        f"max_line_size = {MAX_LINE})"
    )


def _list(values: Sequence[object]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"

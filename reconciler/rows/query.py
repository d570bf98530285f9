"""Read Parquet, and the result of a query over tables, with DuckDB (the extra `tables`), in a process of its own.

A query comes from a checkout, so it is hostile until shown otherwise. It is exactly one SELECT by DuckDB's own parser.
It names only the tables that the spec lists, and no function whose result changes between runs or that reads the
machine. Beside this, DuckDB may open only the listed files, loads no extension, keeps its temporary files out of the
checkout, and runs in one thread, so that the result is the same in every run. Its process has no keys in its
environment, and is ended if it needs too much memory or time.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import file_access
from reconciler.child_environment import child_environment
from reconciler.model import TableRows
from reconciler.rows.row import KINDS, Row, RowsError, delimiter_of, require
from reconciler.rows.template import compiled

MEMORY: Final = "300MB"
ADDRESSES: Final = 4 << 30
"""Bytes of addresses of the process; DuckDB's own limit does not count everything."""
SECONDS: Final = 600.0
"""How long a query may take for its next rows."""
AT_A_TIME: Final = 50
"""Rows: a few, because a cell may have megabytes."""
MAX_ROWS: Final = 50_000_000
MAX_TEMPORARY: Final = "20GB"
TABLE: Final = "files"
"""The name of the table of a query whose files have no names of their own."""

_PLAIN: Final = re.compile(
    r"(VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$"
)
"""Types whose values are taken as they are."""
_AS_TEXT: Final = re.compile(r"(DATE|TIME|TIMESTAMP|INTERVAL|UUID|ENUM|BIGNUM|NULL|\"NULL\")")
"""Types whose values are taken in DuckDB's text form."""
_TABLE_FUNCTIONS: Final = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
_VOLATILE: Final = frozenset(
    [
        "age",
        "current_database",
        "current_localtime",
        "current_localtimestamp",
        "current_role",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_time",
        "current_timestamp",
        "current_user",
        "getenv",
        "getvariable",
        "in_search_path",
        "localtime",
        "localtimestamp",
        "now",
        "query",
        "query_table",
        "session_user",
        "today",
        "user",
    ]
)
"""Functions whose result depends on the time, the machine or the session, beside those that DuckDB calls volatile."""


def query(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of Parquet files or of a query. Those of a query are in the order of their ids.

    Raises `RowsError` if DuckDB is not installed, the query is refused or fails, or a column is missing or has values
    that are not plain.
    """
    label, number, decimals = _label(source), 0, [False] * len(columns)
    for message in _messages(source, root, columns):
        decimals = message.get("decimals", decimals)
        for cells in message.get("rows", ()):
            number += 1
            if number > MAX_ROWS:
                raise RowsError(
                    f"more than {MAX_ROWS:,} rows", "let the query select fewer rows", label, number
                )
            if True in decimals:
                cells = [  # noqa: PLW2901
                    Decimal(cell) if decimal and cell is not None else cell
                    for cell, decimal in zip(cells, decimals, strict=True)
                ]
            yield Row(label, number, dict(zip(columns, cells, strict=True)))


def plain_columns(source: TableRows, root: Path) -> tuple[str, ...]:
    """Return the columns of Parquet files or of a query that have plain values. Raises `RowsError`."""
    with closing(_messages(source, root, ())) as messages:
        return tuple(next(messages)["columns"])


def _label(source: TableRows) -> str:
    return source.files[0].path if source.kind == "parquet" and len(source.files) == 1 else ""


def _messages(source: TableRows, root: Path, columns: Sequence[str]) -> Generator[dict[str, Any]]:
    """Yield what a child process says of a table, until it says that this was all. Raises `RowsError`."""
    label = _label(source)
    with tempfile.TemporaryDirectory(prefix="reconciler-") as folder, _child(folder) as child:
        if child.stdin is None or child.stdout is None:
            raise AssertionError("both are pipes")
        try:
            with suppress(OSError):
                child.stdin.write(msgspec.json.encode((source, str(root), list(columns))))
                child.stdin.close()
            for line in child.stdout:
                message: dict[str, Any] = json.loads(line)
                if message.get("end"):
                    return
                if "message" in message:
                    raise RowsError(message["message"], message["hint"], label, 0, message["column"])
                yield message
            ended = f"the query was ended: it took more than {SECONDS:g} seconds, or too much memory"
            raise RowsError(ended, "let it read or sort less", label)
        finally:
            child.kill()


def _child(folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this interpreter, with the text above
        [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(os.environ),
    )


_CHILD: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from reconciler.rows.query import answer
answer(sys.argv[2])
"""


def answer(folder: str) -> None:
    """Read a table as the child process: the task on stdin, rows or a message on stdout.

    `folder` is for temporary files.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    source, root, columns = msgspec.json.decode(
        sys.stdin.buffer.read(), type=tuple[TableRows, str, list[str]]
    )
    try:
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        for found in read(source, Path(root), columns, folder):
            faulthandler.cancel_dump_traceback_later()
            _write(found)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
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
        text = _checked(database, source.sql, views) if source.kind == "sql" else f"select * from {TABLE}"
        known = {name: str(kind) for name, kind, *_ in database.execute(f"describe {text}").fetchall()}
        require(columns, list(known), "")
        wanted = ", ".join(_selected(name, known[name]) for name in columns)
        order = ", ".join(map(_name, compiled(source.custom_id, {}).columns)) if source.kind == "sql" else ""
        found = database.execute(
            f"select {wanted or '0'} from ({text}\n) as rows{order and f' order by {order}'}"
        )
        plain = [name for name, kind in known.items() if _is_plain(kind)]
        yield {"decimals": [known[name].startswith("DECIMAL") for name in columns], "columns": plain}
        while batch := found.fetchmany(AT_A_TIME):
            yield {"rows": batch}


def _selected(name: str, kind: str) -> str:
    """Return what selects a column as plain values. Raises `RowsError` for lists and the like."""
    quoted = _name(name)
    if _is_plain(kind):
        return quoted if _PLAIN.match(kind) else f"{quoted}::VARCHAR as {quoted}"
    hint = f"make text of it in a query: `to_json({name})`"
    raise RowsError(f"the column `{name}` is of type {kind[:60]}", hint, column=name)


def _is_plain(kind: str) -> bool:
    return bool(_PLAIN.match(kind) or (_AS_TEXT.match(kind) and not kind.endswith("]")))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


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
                database.execute(f"create view {_name(name)} as {_reading([root / path for path in each])}")
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
        return f"select * from read_json({_list(paths)}, format = 'newline_delimited', sample_size = -1)"
    with file_access.open_to_read(paths[0]) as stream:
        delimiter = delimiter_of(stream.readline().decode(errors="replace"))
    return (
        f"select * from read_csv({_list(paths)}, header = true, all_varchar = true, nullstr = '\\0', "
        f"delim = {_text(delimiter)}, quote = '\"', escape = '\"', union_by_name = true)"
    )


def _list(values: Sequence[object]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _checked(database: Any, sql: str, views: Mapping[str, Sequence[str]]) -> str:  # noqa: ANN401 - as above
    """Return a query without the final semicolon, or raise `RowsError` if it is refused."""
    [[text]] = database.execute("select json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    parsed = json.loads(text)
    if parsed["error"]:
        message = str(parsed.get("error_message", "")).partition("\n")[0][:300]
        raise RowsError(f"not a SELECT: {message}", "write exactly one SELECT")
    if len(parsed["statements"]) != 1:
        raise RowsError(f"{len(parsed['statements'])} statements", "write exactly one SELECT")
    nodes = list(_nodes(parsed["statements"][0]))
    own = {
        str(entry["key"]).lower() for node in nodes for entry in (node.get("cte_map") or {}).get("map", ())
    }
    volatile = _VOLATILE | _volatile(database)
    columns = {
        name.lower() for view in views for name, *_ in database.execute(f"describe {_name(view)}").fetchall()
    }
    for node in nodes:
        reason = _refused(node, own | {view.lower() for view in views}, volatile, columns)
        if reason:
            raise RowsError(
                reason, "a query reads the listed files only, and gives the same result in every run"
            )
    return sql.rstrip().rstrip(";")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - DuckDB's tree
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _refused(
    node: Mapping[str, Any], tables: AbstractSet[str], volatile: AbstractSet[str], columns: AbstractSet[str]
) -> str:
    """Return why a node of a query is refused; "" if it is not."""
    kind, function = node.get("type"), str(node.get("function_name", "")).lower()
    called = str(node["function"].get("function_name", "")).lower() if kind == "TABLE_FUNCTION" else ""
    path = [str(step).lower() for step in node["qualified_name"]["path"]] if kind == "BASE_TABLE" else []
    names = [str(name).lower() for name in node["column_names"]] if kind == "COLUMN_REF" else []
    reasons = (
        (node.get("sample"), "a sample changes between runs"),
        (called and called not in _TABLE_FUNCTIONS, f"the table function `{called}` is not allowed"),
        (
            path and (len(path) > 1 or path[0] not in tables),
            f"`{'.'.join(path)}` is not a table of this spec",
        ),
        (kind == "SHOW_REF", "only SELECT is allowed"),
        (len(names) == 1 and names[0] in volatile - columns, f"`{''.join(names)}` changes between runs"),
        (function in volatile, f"the function `{function}` changes between runs, or reads the machine"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _volatile(database: Any) -> frozenset[str]:  # noqa: ANN401 - as above
    """Return the functions that DuckDB calls volatile, and the macros that use them."""
    found = database.execute(
        "select lower(function_name), stability = 'VOLATILE' or (stability = 'CONSISTENT_WITHIN_QUERY' "
        "and len(parameters) = 0), macro_definition from duckdb_functions()"
    ).fetchall()
    names = {name for name, changes, _ in found if changes} | _VOLATILE
    uses = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    return frozenset(names | {name for name, _, text in found if text and uses.search(text.lower())})

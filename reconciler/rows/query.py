"""Read Parquet, and the result of a query over tables, with DuckDB (the extra `tables`), in a process of its own.

A query comes from a checkout, so it is hostile until shown otherwise. It is exactly one SELECT by DuckDB's own parser.
It names only the tables that the spec lists, and no function whose result changes between runs or that reads the
machine. Beside this, DuckDB may open only the listed files, loads no extension, keeps its temporary files out of the
checkout, and runs in one thread, so that the result is the same in every run. Its process has no keys in its
environment, and is ended if it needs too much memory or time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler.child_environment import child_environment
from reconciler.model import TableRows
from reconciler.rows.row import Row, RowsError

SECONDS: Final = 600.0
"""How long a query may take for its next rows."""
MAX_ROWS: Final = 50_000_000


def query(source: TableRows, root: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of Parquet files or of a query. Those of a query are in the order of their ids.

    Raises `RowsError` if DuckDB is not installed, the query is refused or fails, or a column is missing or has values
    that are not plain.
    """
    label, number, decimals = "", 0, [False] * len(columns)
    for message in _messages(source, root, columns):
        if "file" in message:
            label, number, decimals = message["file"], 0, message["decimals"]
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


def _messages(source: TableRows, root: Path, columns: Sequence[str]) -> Generator[dict[str, Any]]:
    """Yield what a child process says of a table, until it says that this was all. Raises `RowsError`."""
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
                if "error" in message:
                    raise RowsError(*message["error"])
                yield message
            ended = f"the query was ended: it took more than {SECONDS:g} seconds, or too much memory"
            raise RowsError(ended, "let it read or sort less")
        finally:
            child.kill()


def _child(folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this interpreter, with the text above
        [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path), folder, str(SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(os.environ),
    )


_CHILD: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from reconciler.rows.database import answer
answer(sys.argv[2], float(sys.argv[3]))
"""

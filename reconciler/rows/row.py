"""A row of a table, and the kinds of tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from reconciler.model.inputs import RowsKind
from reconciler.rows.template import Value

KINDS: Final[Mapping[str, RowsKind]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""The kind of a table by the end of its name."""
DELIMITERS: Final = ",;\t|"


class Row(NamedTuple):
    """A row of a table."""

    file: str
    line: int
    """The line of the file in which it begins, or its number if the file has no lines."""
    cells: Mapping[str, Value]

    @property
    def where(self) -> str:
        """`FILE:LINE`, or its number in the result of a query."""
        return f"{self.file}:{self.line}" if self.file else f"row {self.line} of the query"


class RowsError(Exception):
    """A table cannot be read, or a row of it."""

    def __init__(self, message: str, hint: str, file: str = "", line: int = 0, column: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.file = file
        self.line = line
        self.column = column

    @property
    def placed(self) -> str:
        """The message, after its place if it has one."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self}" if self.file else str(self)


def require(columns: Sequence[str], known: Sequence[str], file: str, line: int = 1) -> None:
    """Raise `RowsError` for the first column that a table lacks."""
    for column in columns:
        if column not in known:
            shown = ", ".join(f"`{name}`" for name in known[:20])
            raise RowsError(
                f"the table has no column `{column}`", f"its columns: {shown}", file, line, column
            )


def delimiter_of(header: str, path: str) -> str:
    """Return the delimiter of CSV: the one of `DELIMITERS` that is most frequent in the header, outside of quotes.

    That of a file whose name ends in `.tsv` is a tab.
    """
    bare = re.sub(r'"[^"]*"', "", header)
    return "\t" if path.lower().endswith(".tsv") else max(DELIMITERS, key=bare.count)

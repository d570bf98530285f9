"""Pulled results for programs: `reconciler.results("tickets")`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from reconciler.outputs.place import check_untracked, open_place
from reconciler.outputs.summaries import summary_of
from reconciler.outputs.table import ResultsTable
from reconciler.specs.project import load_project
from reconciler.specs.yaml.source import QUOTE_ALL
from reconciler.tables.rows import BOOLEAN, INTEGER, NUMBER, Column
from reconciler.vcs.git import Git

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PANDAS: Final = {INTEGER: "Int64", NUMBER: "Float64", BOOLEAN: "boolean"}
_ARROW: Final = {INTEGER: "int64", NUMBER: "float64", BOOLEAN: "bool_"}


class Results:
    """The results of one name, as they were when they were opened: a sequence of rows in the order of the inputs.

    Each row is a dictionary with a value for each of `columns`.
    """

    def __init__(
        self, name: str, *, current: bool, columns: tuple[Column, ...], rows: list[dict[str, Any]]
    ) -> None:
        self.name = name
        """The name of the spec."""
        self.current = current
        """Whether these are the results of the newest work."""
        self.columns = tuple(column.name for column in columns)
        """The names of the columns."""
        self._types = {column.name: column.type for column in columns}
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    def __getitem__(self, at: int) -> dict[str, Any]:
        return self._rows[at]

    def df(self) -> pd.DataFrame:
        """Return a pandas data frame, a column for each of `columns`. Raises `ImportError` without pandas."""
        import pandas as pd  # noqa: PLC0415 - only a caller who wants it needs it

        kinds = {name: _PANDAS.get(kind, "string") for name, kind in self._types.items()}
        return pd.DataFrame(
            {name: pd.array([row[name] for row in self._rows], dtype=kind) for name, kind in kinds.items()}
        )

    def arrow(self) -> pa.Table:
        """Return an Arrow table, a column for each of `columns`. Raises `ImportError` without pyarrow."""
        import pyarrow as pa  # noqa: PLC0415 - only a caller who wants it needs it

        fields = [
            pa.field(name, getattr(pa, _ARROW.get(kind, "string"))()) for name, kind in self._types.items()
        ]
        return pa.Table.from_pylist(self._rows, schema=pa.schema(fields))


def open_results(name: str, project: Path) -> Results:
    """Read the results of a name. The arguments and errors are those of `reconciler.results`."""
    found = load_project(None, start=project, quoting=lambda _: QUOTE_ALL)
    check_untracked(found, os.environ, Git(found.root))
    with TemporaryDirectory() as staging:
        store = open_place(found, os.environ, staging=Path(staging))
        summary = summary_of(store, name)
        table = ResultsTable(store, [summary])
        columns = table.columns()
        rows = [{column.name: row[column.name] for column in columns} for row in table.rows()]
    return Results(name, current=summary.current, columns=columns, rows=rows)

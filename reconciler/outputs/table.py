"""The results of names as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from reconciler.documents.result_summary import ResultSummary, WorkSummary
from reconciler.errors import ReconcilerError
from reconciler.model import TableRows
from reconciler.outputs.paths import job_folder
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summaries import read_summary, results_file
from reconciler.requests import asked
from reconciler.requests.index_file import read_head
from reconciler.rows.read import columns_of, read_rows
from reconciler.rows.requests import template_of
from reconciler.rows.row import RowsError
from reconciler.rows.template import CellError, text_of
from reconciler.tables.rows import BASE, BODY, NAME, TEXT, TEXT_ENDPOINTS, Column, field_columns
from reconciler.tables.rows import read_rows as read_results


class ResultsTable(Struct, frozen=True):
    """The results of names, at least one, as columns and rows."""

    store: ResultStore
    found: Sequence[WorkSummary]

    def columns(self) -> tuple[Column, ...]:
        """Return the columns: the name if there are several, those of every request, and the fields of answers."""
        several = [NAME] if len(self.found) > 1 else []
        return (*several, *BASE, *([BODY] if self._has_bodies() else []), *self._fields())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the values of each request by column, and its name. Raises `OSError`."""
        fields, body = self._fields(), self._has_bodies()
        for it in self.found:
            for row in read_results(results_file(self.store, it)):
                yield {"name": it.name, **row.values(fields, body=body)}

    def _fields(self) -> tuple[Column, ...]:
        return field_columns(schema for it in self.found for schema in self._schemas(it))

    def _schemas(self, summary: WorkSummary) -> Iterator[Any]:
        """Yield the JSON schemas that the requests of a name's results ask for. Raises `OSError`."""
        for job_id in summary.jobs:
            folder = job_folder(summary.name, job_id)
            job = read_summary(self.store, folder, ResultSummary)
            for doc in job.files if job else ():
                if doc.path == asked.NAME:
                    head = read_head(self.store.fetch(f"{folder}/{doc.path}", doc.bytes))
                    yield from head.get("schemas", ())

    def _has_bodies(self) -> bool:
        return any(it.endpoint not in TEXT_ENDPOINTS for it in self.found)


def joined_with(
    source: TableRows, root: Path, columns: Sequence[Column], results: Iterator[dict[str, Any]]
) -> tuple[tuple[Column, ...], Iterator[dict[str, Any]]]:
    """Return the columns and rows of results, with the cells of the rows that the requests were made of, as texts.

    A column of the table whose name results have too gets `row_` in front. Results are usually in the order of the
    table; rows that come earlier than their results are kept in memory. Raises `ReconcilerError` if the table cannot be
    read.
    """
    taken, names = {column.name for column in columns}, dict[str, str]()
    try:
        for name in columns_of(source, root):
            names[name] = name
            while names[name] in taken:
                names[name] = f"row_{names[name]}"
            taken.add(names[name])
    except RowsError as error:
        raise ReconcilerError(error.placed, hint=error.hint) from error
    added = tuple(Column(name, TEXT) for name in names.values())
    return (*added, *columns), _joined(source, root, names, results)


def _joined(
    source: TableRows, root: Path, names: Mapping[str, str], results: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    template, waiting = template_of(source), dict[str, dict[str, str | None]]()
    wanted = tuple(dict.fromkeys((*names, *template.columns)))
    try:
        rows = read_rows(source, root, wanted)
        for result in results:
            found = waiting.pop(result["custom_id"], None)
            while found is None and (row := next(rows, None)) is not None:
                cells = {
                    new: None if (it := row.cells[old]) is None else text_of(it) for old, new in names.items()
                }
                custom_id = msgspec.json.decode(template.render_id(row.cells), type=str)
                if custom_id == result["custom_id"]:
                    found = cells
                else:
                    waiting[custom_id] = cells
            yield {**(found or {}), **result}
    except (RowsError, CellError, ValueError) as error:
        what = error.placed if isinstance(error, RowsError) else str(error)
        raise ReconcilerError(f"the table cannot be read: {what}", hint="reconciler validate") from error

"""The results of names as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from reconciler.documents.result_summary import ResultSummary, WorkSummary
from reconciler.outputs.paths import job_folder
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summaries import read_summary, results_file
from reconciler.requests import asked
from reconciler.requests.index_file import read_head
from reconciler.tables.rows import BASE, BODY, NAME, TEXT_ENDPOINTS, Column, field_columns, read_rows


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
            for row in read_rows(results_file(self.store, it)):
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

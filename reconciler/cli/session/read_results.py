"""Open the place of results for reading, and show requests of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.cli.params.options import Common
from reconciler.cli.session.target import open_project
from reconciler.documents.result_summary import WorkSummary
from reconciler.environment import Environment
from reconciler.errors import UsageError
from reconciler.outputs.place import open_place
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summaries import work_summaries
from reconciler.tables.rows import Row
from reconciler.text.sanitize import clean
from reconciler.text.suggest import nearest


@contextmanager
def opened(env: Environment, common: Common) -> Iterator[ResultStore]:
    """Open the place of results for reading."""
    project = open_project(common, env)
    with TemporaryDirectory() as staging:
        yield open_place(project, env.environ, staging=Path(staging))


def summary_of(store: ResultStore, name: str) -> WorkSummary:
    """Return the summary of a name's results.

    Raises:
        UsageError: there are none.
    """
    found = {it.name: it for it in work_summaries(store)}
    if name not in found:
        near = nearest(name, sorted(found))
        raise UsageError(
            f"{store.where} has no results of {name}",
            hint=f"did you mean {near}?" if near else "fetch them: reconciler outputs pull",
        )
    return found[name]


def row_text(row: Row) -> str:
    """Return one request of joined results: its custom_id, and why it failed, or its answer as it is."""
    if row.error is not None:
        return clean(f"{row.custom_id}  {row.reason}") + "\n"
    check = f"  ({row.check})" if row.check != "valid" else ""
    text = row.text()
    lines = (bytes(row.body).decode() if text is None else text).splitlines()
    return "".join([clean(f"{row.custom_id}{check}") + "\n", *(f"  {clean(line)}\n" for line in lines)])

"""Open the place of results for reading, and show requests of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.cli.params.options import Common
from reconciler.cli.session.target import open_project
from reconciler.environment import Environment
from reconciler.outputs.place import open_place
from reconciler.outputs.store import ResultStore
from reconciler.tables.rows import Row
from reconciler.text.sanitize import clean


@contextmanager
def opened(env: Environment, common: Common) -> Iterator[ResultStore]:
    """Open the place of results for reading."""
    project = open_project(common, env)
    with TemporaryDirectory() as staging:
        yield open_place(project, env.environ, staging=Path(staging))


def row_text(row: Row) -> str:
    """Return one request of joined results: its custom_id, and why it failed, or its answer as it is."""
    if row.error is not None:
        return clean(f"{row.custom_id}  {row.reason}") + "\n"
    check = f"  ({row.check})" if row.check != "valid" else ""
    text = row.text()
    lines = (bytes(row.body).decode() if text is None else text).splitlines()
    return "".join([clean(f"{row.custom_id}{check}") + "\n", *(f"  {clean(line)}\n" for line in lines)])

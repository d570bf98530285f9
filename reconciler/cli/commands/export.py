"""`reconciler outputs export`: the results of names as one table."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.params.options import Common
from reconciler.cli.session.target import load_shown, open_project, open_results
from reconciler.environment import Environment
from reconciler.errors import ExitCode, UsageError
from reconciler.outputs.summaries import summary_of, work_summaries
from reconciler.tables.rows import Column

FORMATS = ("csv", "jsonl", "parquet")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--format", "form", type=click.Choice(FORMATS), help="[default: the extension of FILE]")
@click.option("-o", "--out", type=options.PATH, required=True, metavar="FILE", help="The file to write.")
@options.flag(
    "--columns", "Add the columns of the table that the spec declares its requests by, as text.", "joined"
)
@options.common
def export(
    env: Environment,
    *,
    names: tuple[str, ...],
    form: str | None,
    out: Path,
    joined: bool,
    common: options.Common,
) -> int:
    """Write the results of names as one table, a row for each request. Needs no key.

    NAME may be a glob. Fields of answers get columns of their own if the requests ask for a JSON schema. In CSV, a text
    that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    from reconciler.outputs.table import ResultsTable
    from reconciler.tables.write import write_table
    from reconciler.text.plural import pluralize

    form = form or out.suffix[1:].lower()
    if form not in FORMATS:
        raise UsageError(f"{out} does not say which format", hint=f"pass --format: {', '.join(FORMATS)}")
    with open_results(common, env) as store, TemporaryDirectory() as copies:
        there = {it.name: it for it in work_summaries(store)}
        found = [it for name, it in there.items() if any(fnmatchcase(name, glob) for glob in names)]
        for name in names:
            if not any(fnmatchcase(it.name, name) for it in found):
                summary_of(store, name)
        table = ResultsTable(store, found)
        columns, rows = table.columns(), table.rows()
        if joined:
            if len(found) > 1:
                raise UsageError("--columns is for one name", hint="export each by itself")
            columns, rows = with_table(env, common, names[0], (columns, rows), Path(copies))
        count = write_table(env.cwd / out, form, columns, rows)
    write_stdout(f"{out}: {pluralize(count, 'row')}, {pluralize(len(columns), 'column')}\n")
    return ExitCode.OK


def with_table(
    env: Environment,
    common: Common,
    name: str,
    results: tuple[tuple[Column, ...], Iterator[dict[str, Any]]],
    copies: Path,
) -> tuple[tuple[Column, ...], Iterator[dict[str, Any]]]:
    """Put the columns of a spec's table before those of its results. What is at a URI is fetched into a folder.

    Raises `UsageError` if no spec of this name declares a table.
    """
    from reconciler.model import TableRows
    from reconciler.outputs.fetch import fetch, read_copies
    from reconciler.outputs.table import joined_with

    project = open_project(common, env)
    specs = load_shown(project, env).specs
    tables = [it for spec in specs if spec.name == name for it in spec.inputs if isinstance(it, TableRows)]
    if not tables:
        raise UsageError(f"no spec {name} declares `rows`", hint="leave out --columns")
    for it in tables[0].files:
        if it.uri:
            fetch(env, it, copies, seconds=project.settings.limits.timeout_seconds)
    return joined_with(read_copies(tables[0], copies), project.root, *results)

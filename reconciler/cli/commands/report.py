"""`reconciler report`: one page of HTML that shows what a project's jobs did."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from reconciler import file_access
from reconciler.api.client import Reader
from reconciler.cli.output.streams import write_stderr
from reconciler.cli.params import job_filters, options
from reconciler.cli.params.time_types import unix
from reconciler.cli.session import read_history
from reconciler.cli.session.load_declared import load_declared
from reconciler.context import RunContext
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.history.record import filter_records
from reconciler.render.reasons import reason_words
from reconciler.render.status_view import status_doc
from reconciler.runs.gather import gather
from reconciler.text.plural import pluralize, size
from reconciler.text.sanitize import clean
from reconciler.workspace.listing import Listed

_INSTALL = "pip install 'mistral-batch-reconciler[report]'"


@click.command()
@click.option(
    "--output",
    "-o",
    "place",
    type=options.PATH,
    metavar="FILE",
    default=Path("report.html"),
    help="Where to write it.  [default: report.html]",
)
@job_filters.since
@click.option(
    "--metadata",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Also show sums by this key of the specs' metadata; may be repeated.",
)
@job_filters.all_projects
@job_filters.offline
@options.common
def report(
    env: Environment,
    *,
    place: Path,
    since: float | dt.timedelta | None,
    keys: tuple[str, ...],
    all_projects: bool,
    offline: bool,
    common: options.Common,
) -> int:
    """Write one page of HTML that shows jobs over time, their requests and costs, and what needs a person.

    The page needs no network and no other file. Needs the extra `report`.
    """
    try:
        from reconciler.report.contents import Attention, Scope, contents
        from reconciler.report.page import page
    except ModuleNotFoundError as error:
        raise ReconcilerError(
            f"a report needs the package {error.name}", hint=f"install it: {_INSTALL}"
        ) from None
    found: list[Attention] = []

    def look(run: RunContext[Reader], listed: Listed) -> None:
        planned = gather(run, load_declared(run, only_shown=True), listed=lambda: listed)
        rows = status_doc(planned.document, planned.declared.later, planned.declared.selected).rows
        for it in filter(lambda row: row.attention, rows):
            why = ": ".join(filter(None, [reason_words(it.reason), it.detail]))
            found.append(Attention(clean(it.name), clean(it.state), clean(why)))

    _, sources = read_history.read(common, env, offline=offline, all_projects=all_projects, look=look)
    began = unix(since, env.now())
    records = filter_records(sources.records, since=began)
    scope = Scope(
        project=sources.target.project,
        base_url=sources.target.base_url,
        since=began,
        offline=offline,
        all_projects=all_projects,
        keys=keys,
        now=int(env.now()),
    )
    text = page(contents(records, None if offline else found, scope)).encode()
    path = env.cwd / place
    try:
        file_access.replace(path, text, mode=file_access.SHARED)
    except OSError as error:
        message = f"the report cannot be written to {place}: {error.strerror or error}"
        raise ReconcilerError(
            message, hint=file_access.hint_of(error, "choose another place with -o")
        ) from error
    write_stderr(f"{pluralize(len(records), 'job')} in {clean(str(place))}, {size(len(text))}")
    return ExitCode.OK

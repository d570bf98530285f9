"""`reconciler status`: show the state of every declared job, once or repeatedly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from reconciler.cli.output.status_output import formatted
from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.params.time_types import duration
from reconciler.cli.session.load_declared import gather
from reconciler.cli.session.session import reading
from reconciler.cli.session.signals import STOPPED_WATCHING, interrupts
from reconciler.documents.reports import StatusDoc
from reconciler.environment import Environment
from reconciler.errors import ExitCode, UsageError, first_that_holds
from reconciler.render.status_view import status_doc
from reconciler.text.timestamps import rfc3339

HOME_AND_CLEAR: Final = "\x1b[H\x1b[J"
"""Move the cursor to the top left and erase everything after it (ECMA-48), without scrolling."""


@click.command()
@options.selection
@options.output("text", "json", "markdown")
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C; needs a terminal.")
@click.option(
    "--interval",
    type=duration,
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="Time between refreshes.",
)
@click.option("--fail-on-attention", is_flag=True, help="Exit with 6 if anything needs attention.")
@options.common
@click.pass_obj
def status(
    env: Environment,
    *,
    selection: options.Selection,
    output: options.Output,
    watch: bool,
    interval: float,
    fail_on_attention: bool,
    common: options.Common,
) -> int:
    """Show the state of every declared job."""
    if watch and (output.form != "text" or not env.terminal("stdout")):
        raise UsageError(
            "--watch needs a terminal", hint="without one, wait for the end: reconciler wait --format json"
        )
    report, top = None, ""
    for report in reports(env, selection, common, seconds=interval if watch else None):
        if watch:
            top = f"{HOME_AND_CLEAR}{rfc3339(env.now())}, Ctrl-C to stop\n\n"
        write_stdout(top + formatted(report, output, now=env.now()))
    attention = report is not None and any(row.attention for row in report.rows)
    return first_that_holds({ExitCode.ATTENTION} if fail_on_attention and attention else set())


def reports(
    env: Environment, selection: options.Selection, common: options.Common, *, seconds: float | None
) -> Iterator[StatusDoc]:
    """Yield the state of all jobs, once or every `seconds`; the specs are read each time."""
    with interrupts(env, STOPPED_WATCHING), reading(common, env, without_deadline=seconds is not None) as run:
        while True:
            found = gather(run, selection, only_shown=True)
            yield status_doc(found.document, found.declared.later, found.declared.selected)
            if seconds is None:
                return
            env.sleep(max(0.2, seconds))

"""`reconciler wait`: until every declared job, or those named, has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.output.wait_output import wait_doc, write
from reconciler.cli.params import options
from reconciler.cli.params.time_types import SPAN
from reconciler.cli.session.wait_events import log_finished
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.environment import World

timeout = click.option(
    "--timeout", type=SPAN, metavar="SPAN", help="Stop waiting after so long (90, 30m, 2h, 1d): exit 6."
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@timeout
@options.output_format("text", "json", "markdown")
@options.everything
@options.common
@click.pass_obj
def wait(
    world: World,
    *,
    names: tuple[str, ...],
    timeout: float | None,
    form: str,
    everything: bool,
    common: options.Common,
) -> int:
    """Wait until declared jobs have ended: all of them, or those whose names, or globs, are given.

    Exit 0 only where all of them have succeeded within their `max_failed`; 6 where something needs a person or an
    apply, or the timeout has passed. Nothing is bought or cancelled, and jobs run on whatever ends the waiting. For
    jobs of days, let an hourly apply look after them instead of a runner that waits.
    """
    from reconciler.cli.output.job_bars import job_bars
    from reconciler.cli.session.load_declared import declared
    from reconciler.cli.session.session import reading
    from reconciler.cli.session.signals import interrupts
    from reconciler.model import Names
    from reconciler.runs.gather import gather
    from reconciler.runs.wait import Patience, until_ended

    with interrupts(world), reading(common, world, lasting=True) as run:
        said = declared(run, (), Names(only=names))
        with job_bars(world) as show:
            view = until_ended(
                run,
                lambda: gather(run, said),
                Patience(timeout_seconds=timeout),
                show,
            )
        log_finished(run, view)
    code = ExitCode.OK if view.well else ExitCode.ATTENTION
    write(wait_doc(view, code), now=world.now(), form=form, everything=everything)
    return code

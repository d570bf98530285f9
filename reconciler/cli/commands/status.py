"""`reconciler status`: every declared job as it stands, once or again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.output.streams import say
from reconciler.cli.params import options
from reconciler.cli.params.time_types import SPAN
from reconciler.errors import ExitCode, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.documents.reports import StatusDoc
    from reconciler.environment import World
    from reconciler.model import Names

HOME_AND_CLEAR: Final = "\x1b[H\x1b[J"
"""The cursor to the top left, and everything behind it away (ECMA-48); what was there before is not scrolled."""


@click.command()
@options.paths
@options.names
@options.output_format("text", "json", "markdown")
@options.everything
@click.option("--watch", is_flag=True, help="Draw it again and again, until Ctrl-C; on a terminal.")
@click.option(
    "--interval", type=SPAN, default="5s", show_default=True, metavar="SPAN", help="Between two looks."
)
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@options.common
@click.pass_obj
def status(
    world: World,
    *,
    paths: tuple[Path, ...],
    names: Names,
    form: str,
    everything: bool,
    watch: bool,
    interval: float,
    fail_on_attention: bool,
    common: options.Common,
) -> int:
    """Show every declared job as it stands."""
    if watch and (form != "text" or not world.terminal("stdout")):
        raise UsageError(
            "--watch draws on a terminal", hint="without one, wait for the end: reconciler wait --format json"
        )
    report = None
    for report in reports(world, paths, names, common, seconds=interval if watch else None):
        write(report, world=world, form=form, everything=everything, redraw=watch)
    attention = report is not None and any(row.attention for row in report.rows)
    return first_that_holds({ExitCode.ATTENTION} if fail_on_attention and attention else set())


def reports(
    world: World,
    paths: tuple[Path, ...],
    names: Names,
    common: options.Common,
    *,
    seconds: float | None,
) -> Iterator[StatusDoc]:
    """Yield how everything stands, once, or every so many seconds; specs are read each time."""
    from reconciler.cli.session.load_declared import gather
    from reconciler.cli.session.session import reading
    from reconciler.cli.session.signals import interrupts
    from reconciler.render.status_view import status_doc

    with interrupts(world), reading(common, world, lasting=seconds is not None) as run:
        while True:
            found = gather(run, paths, names)
            yield status_doc(found.document, found.declared.later, found.declared.selected)
            if seconds is None:
                return
            world.sleep(max(0.2, seconds))


def write(report: StatusDoc, *, world: World, form: str, everything: bool, redraw: bool) -> None:
    """Write a status to stdout."""
    from reconciler.documents.reports import pretty
    from reconciler.render.status_view import status_markdown, status_text
    from reconciler.text.timestamps import rfc3339

    now = world.now()
    match form:
        case "json":
            say(pretty(report))
        case "markdown":
            say(status_markdown(report, now=now, everything=everything))
        case _:
            text = status_text(report, now=now, everything=everything)
            say(f"{HOME_AND_CLEAR}{rfc3339(now)}, Ctrl-C ends\n\n{text}" if redraw else text)

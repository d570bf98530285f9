"""`reconciler wait`: until every declared job, or those named, has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.moments import SPAN
from reconciler.cli.say import say
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.reports import WaitDoc
    from reconciler.run import Run
    from reconciler.wait import View
    from reconciler.world import World

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
    from reconciler.cli.declare import declared
    from reconciler.cli.job_bars import job_bars
    from reconciler.cli.session import reading
    from reconciler.cli.signals import interrupts
    from reconciler.gather import gather
    from reconciler.model import Names
    from reconciler.wait import Patience, until_ended

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


def wait_doc(view: View, code: ExitCode) -> WaitDoc:
    """Return how everything stood in the end."""
    from reconciler.render.status_words import status_doc
    from reconciler.reports import WaitDoc

    declared = view.situation.declared
    report = status_doc(view.situation.document, declared.later, declared.selected)
    return WaitDoc(
        project=report.project,
        base_url=report.base_url,
        sandbox=report.sandbox,
        rows=report.rows,
        stands={name: stand.value for name, stand in view.stands.items()},
        timed_out=view.timed_out,
        exit_code=int(code),
    )


def write(report: WaitDoc, *, now: float, form: str, everything: bool) -> None:
    """Write it to stdout."""
    from reconciler.render.status_words import status_markdown, status_text, waited
    from reconciler.reports import StatusDoc, pretty

    if form == "json":
        say(pretty(report))
        return
    rows = StatusDoc(
        project=report.project, base_url=report.base_url, sandbox=report.sandbox, rows=report.rows
    )
    if form == "markdown":
        say(status_markdown(rows, now=now, everything=everything) + f"\n{waited(report)}\n")
    else:
        say(status_text(rows, now=now, everything=everything) + f"\n{waited(report)}\n")


def log_finished(run: Run, view: View) -> None:  # type: ignore[type-arg]  # a reader's or a writer's
    """Tell the end of the waiting in numbers."""
    from collections import Counter

    from reconciler.waiting import Stand

    world, stands = run.world, Counter(view.stands.values())
    world.log(
        "wait.finished",
        done=stands[Stand.DONE],
        attention=stands[Stand.ATTENTION],
        pending=stands[Stand.PENDING],
        running=stands[Stand.RUNNING],
        timed_out=int(view.timed_out),
        elapsed_ms=round((world.monotonic() - run.began) * 1000),
    )

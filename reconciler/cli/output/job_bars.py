"""Waiting on a terminal: a bar for each job that runs, and one for all; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.cli.output.terminal import console, drawable
from reconciler.environment import World
from reconciler.model import Job, Phase
from reconciler.plans.name_status import Progress, progress, together
from reconciler.runs.wait import View
from reconciler.text.plural import age, count
from reconciler.text.sanitize import clean

if TYPE_CHECKING:
    from rich.table import Table

MOST: Final = 12
"""So many jobs have a bar of their own, the slowest first."""
WIDTH: Final = 24


def _nothing(_: View) -> None:
    """Show nothing: events tell it."""


@contextmanager
def job_bars(world: World) -> Iterator[Callable[[View], object]]:
    """Yield what shows a view on stderr where that is a terminal; the bars are gone in the end."""
    if not drawable(world):
        yield _nothing
        return
    from rich.live import Live

    screen = console(sys.stderr, colour=world.colour("stderr"))
    with Live(console=screen, transient=True, auto_refresh=False) as live:

        def show(view: View) -> None:
            live.update(_table(view, world.now()), refresh=True)

        yield show


def parts(view: View, now: float) -> list[Progress]:
    """Return how far each job is that is waited for, the one that takes longest first."""
    found = [progress(name, view.jobs[job], now) for job, name in view.awaited.items() if job in view.jobs]
    return sorted(found, key=lambda it: (-(it.seconds_left or 0), it.share, it.name))


def _table(view: View, now: float) -> Table:
    from rich.table import Table
    from rich.text import Text

    found = parts(view, now)
    if not found:
        return Table.grid()
    shown, more = found[:MOST], found[MOST:]
    queued = sum(it.phase is Phase.ACTIVE and it.started_at is None for it in _awaited(view))
    table = Table.grid(padding=(0, 2))
    whole = together(found, f"{count(len(found), 'job')}{f', {queued:,} queued' if queued else ''}")
    lines = [*shown, together(more, f"{len(more):,} more")] if more else shown
    for line in [*lines, whole] if len(lines) > 1 else lines:
        table.add_row(*map(Text, cells(line)))
    return table


def _awaited(view: View) -> list[Job]:
    return [view.jobs[job] for job in view.awaited if job in view.jobs]


def cells(it: Progress) -> tuple[str, str, str, str, str]:
    """Return a bar's name, the bar, what is done, what failed, and the time that is left."""
    full = round(it.share * WIDTH)
    return (
        clean(it.name),
        "━" * full + "─" * (WIDTH - full),
        f"{it.completed:,} of {it.total:,}" if it.total else f"{it.completed:,} of ?",
        f"{it.failed:,} failed" if it.failed else "",
        "" if it.seconds_left is None else f"{age(it.seconds_left)} left",
    )

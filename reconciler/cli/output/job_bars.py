"""Progress of waiting on a terminal: a bar for each running job, and one for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.cli.output.terminal import console, supports_cursor
from reconciler.environment import Environment
from reconciler.model import Job, Phase
from reconciler.plans.name_status import JobProgress, aggregate, job_progress
from reconciler.runs.wait import WaitState
from reconciler.text.plural import age, pluralize
from reconciler.text.sanitize import clean

if TYPE_CHECKING:
    from rich.table import Table

MAX_BARS: Final = 12
"""The number of jobs with their own bar, the slowest first."""
WIDTH: Final = 24


def _nothing(_: WaitState) -> None:
    """Show nothing: events report the progress."""


@contextmanager
def job_bars(env: Environment) -> Iterator[Callable[[WaitState], object]]:
    """Yield a function that draws bars on stderr if that is a terminal. The bars are removed at the end."""
    if not supports_cursor(env):
        yield _nothing
        return
    from rich.live import Live

    screen = console(sys.stderr, colour=env.colour("stderr"))
    with Live(console=screen, transient=True, auto_refresh=False) as live:

        def show(state: WaitState) -> None:
            live.update(_table(state, env.now()), refresh=True)

        yield show


def parts(state: WaitState, now: float) -> list[JobProgress]:
    """Return the progress of each awaited job, the one with the most time left first."""
    found = [
        job_progress(name, state.jobs[job], now) for job, name in state.awaited.items() if job in state.jobs
    ]
    return sorted(found, key=lambda it: (-(it.seconds_left or 0), it.share, it.name))


def _table(state: WaitState, now: float) -> Table:
    from rich.table import Table
    from rich.text import Text

    found = parts(state, now)
    if not found:
        return Table.grid()
    shown, more = found[:MAX_BARS], found[MAX_BARS:]
    queued = sum(it.phase is Phase.ACTIVE and it.started_at is None for it in _awaited(state))
    table = Table.grid(padding=(0, 2))
    whole = aggregate(found, f"{pluralize(len(found), 'job')}{f', {queued:,} queued' if queued else ''}")
    lines = [*shown, aggregate(more, f"{len(more):,} more")] if more else shown
    for line in [*lines, whole] if len(lines) > 1 else lines:
        table.add_row(*map(Text, cells(line)))
    return table


def _awaited(state: WaitState) -> list[Job]:
    return [state.jobs[job] for job in state.awaited if job in state.jobs]


def cells(it: JobProgress) -> tuple[str, str, str, str, str]:
    """Return the name, the bar, the numbers of completed and failed requests, and the time left."""
    full = round(it.share * WIDTH)
    return (
        clean(it.name),
        "━" * full + "─" * (WIDTH - full),
        f"{it.completed:,} of {it.total:,}" if it.total else f"{it.completed:,} of ?",
        f"{it.failed:,} failed" if it.failed else "",
        "" if it.seconds_left is None else f"{age(it.seconds_left)} left",
    )

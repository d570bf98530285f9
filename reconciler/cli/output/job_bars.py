"""Progress of waiting on a terminal: a bar for each running job, and one for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from reconciler.cli.output.terminal import bar, live_display, supports_cursor, table
from reconciler.environment import Environment
from reconciler.model import Phase
from reconciler.plans.name_status import JobProgress, aggregate, job_progress
from reconciler.runs.wait import WaitState
from reconciler.text.plural import age, pluralize
from reconciler.text.sanitize import clean

MAX_BARS: Final = 12
"""The number of jobs with their own bar: the slowest."""
WIDTH: Final = 24


@contextmanager
def job_bars(env: Environment) -> Iterator[Callable[[WaitState], object]]:
    """Yield a function that draws bars on stderr if that is a terminal. The bars are removed at the end."""
    if not supports_cursor(env):
        yield lambda _: None  # events report the progress
        return
    with live_display(sys.stderr, colour=env.colour("stderr")) as live:
        yield lambda state: live.update(table(rows(state, env.now())), refresh=True)


def rows(state: WaitState, now: float) -> list[tuple[str, ...]]:
    """Return the cells of each bar: the slowest jobs, oldest first as in `jobs list`; the other jobs; and all jobs."""
    awaited = [state.jobs[job] for job in state.awaited if job in state.jobs]
    found = [
        job_progress(", ".join(state.awaited[job.id]), job, now)
        for job in sorted(awaited, key=lambda job: job.age_key)
    ]
    slowest = sorted(found, key=lambda it: (-(it.seconds_left or 0), it.share, it.name))
    more = slowest[MAX_BARS:]
    shown = [it for it in found if it not in more]
    queued = sum(job.phase is Phase.ACTIVE and job.started_at is None for job in awaited)
    whole = aggregate(found, f"{pluralize(len(found), 'job')}{f', {queued:,} queued' if queued else ''}")
    lines = [*shown, *([aggregate(more, f"{len(more):,} more")] if more else [])]
    return [cells(line) for line in ([*lines, whole] if len(lines) > 1 else lines)]


def cells(it: JobProgress) -> tuple[str, str, str, str, str]:
    """Return the name, the bar, the numbers of completed and failed requests, and the time left."""
    return (
        clean(it.name),
        bar(it.share, WIDTH),
        f"{it.completed:,} of {it.total:,}" if it.total else f"{it.completed:,} of ?",
        f"{it.failed:,} failed" if it.failed else "",
        "" if it.seconds_left is None else f"{age(it.seconds_left)} left",
    )

"""Progress of waiting on a terminal: a bar for each running job, and one for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from reconciler.cli.output.progress_bars import bar, live_display, supports_cursor, table
from reconciler.environment import Environment
from reconciler.model import Job, Phase
from reconciler.plans.name_status import known_total
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
    found = sorted((state.jobs[job] for job in state.awaited if job in state.jobs), key=lambda it: it.age_key)
    slowest = sorted(found, key=lambda it: -(seconds_left(it, now) or 0))
    more = slowest[MAX_BARS:]
    lines = [cells(", ".join(state.awaited[job.id]), [job], now) for job in found if job not in more]
    lines += [cells(f"{len(more):,} more", more, now)] if more else []
    queued = sum(job.phase is Phase.ACTIVE and job.started_at is None for job in found)
    whole = f"{pluralize(len(found), 'job')}{f', {queued:,} queued' if queued else ''}"
    return [*lines, cells(whole, found, now)] if len(lines) > 1 else lines


def cells(name: str, jobs: Sequence[Job], now: float) -> tuple[str, ...]:
    """Return the name, the bar, the numbers of completed and failed requests, and the time until the slowest ends."""
    totals = [known_total(job) for job in jobs]
    total = sum(totals) if all(totals) else 0  # the API has not counted the requests of each yet
    completed, failed = sum(it.completed_requests for it in jobs), sum(it.failed_requests for it in jobs)
    left = [seconds for job in jobs if (seconds := seconds_left(job, now)) is not None]
    return (
        clean(name),
        bar(completed / total if total else 0.0, WIDTH),
        f"{completed:,} of {total:,}" if total else f"{completed:,} of ?",
        f"{failed:,} failed" if failed else "",
        f"{age(max(left))} left" if left else "",
    )


def seconds_left(job: Job, now: float) -> float | None:
    """Estimate the time that a job still takes from its pace so far; None if nothing is completed yet."""
    if job.started_at is None or not job.completed_requests or now <= job.started_at:
        return None
    remaining = known_total(job) - job.completed_requests
    return (now - job.started_at) / job.completed_requests * remaining

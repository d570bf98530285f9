"""Waiting for jobs: one look at the newest pages of the list for all of them, at growing, jittered intervals.

A full look (specs against the whole list) is taken at first and whenever a job that is waited for has ended or cannot
be found; between, only the newest pages are read, as many as it takes to see each job. Waiting outlasts an outage of
the API; what ends it is the end of every job, the timeout, a signal, or an error that no waiting mends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from reconciler.api.errors import ApiError
from reconciler.context import ApiT, Run
from reconciler.errors import ListingError, ReconcilerError
from reconciler.model import Job
from reconciler.plans import name_status
from reconciler.plans.name_status import Stand
from reconciler.plans.planned_run import Situation
from reconciler.workspace import listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often to look, and for how long."""

    first_seconds: float = 2.0
    factor: float = 1.5
    """Each interval is so many times the one before."""
    most_seconds: float = 60.0
    jitter: float = 0.2
    """Up to such a share is added to or taken from each, so that many runners do not ask at once."""
    timeout_seconds: float | None = None
    failures: int = 10
    """So many looks in a row may fail."""

    def pauses(self, random: Random) -> Iterator[float]:
        """Yield the seconds before each look, without end."""
        seconds = self.first_seconds
        while True:
            yield seconds * random.uniform(1 - self.jitter, 1 + self.jitter)
            seconds = min(self.most_seconds, seconds * self.factor)


@dataclass(frozen=True, kw_only=True)
class View:
    """How things stood at the last look."""

    situation: Situation
    held: frozenset[str] = frozenset()
    """Names that the quota holds up and that this run buys once there is room."""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    """By id: ours, some of them fresher than the situation."""
    timed_out: bool = False

    @property
    def stands(self) -> Mapping[str, Stand]:
        """How far each name is."""
        return name_status.stands(self.situation.document.decisions, self.held)

    @property
    def awaited(self) -> Mapping[str, str]:
        """The jobs that are waited for: job id to name."""
        return name_status.awaited(self.situation.document.decisions, self.held)

    @property
    def well(self) -> bool:
        """Whether everything that is wanted has succeeded within what may fail."""
        return not self.timed_out and set(self.stands.values()) <= {Stand.DONE, Stand.IDLE}


def until_ended(
    run: Run[ApiT],
    look: Callable[[], Situation],
    patience: Patience,
    show: Callable[[View], object],
    held: Callable[[], frozenset[str]] = frozenset,
) -> View:
    """Wait until nothing that is wanted goes on.

    Args:
        run: what to work with.
        look: reads everything and decides; it may act on what it finds.
        patience: how often, how long.
        show: is shown every view.
        held: the names that `look` will buy once there is room.

    Raises:
        ApiError: the API refuses to be read, or could not be read many times in a row.
        ListingError: likewise.
    """
    began = run.world.monotonic()
    view = _seen(look(), held())
    failures = 0
    for pause in patience.pauses(run.world.random):
        show(view)
        if Stand.RUNNING not in view.stands.values() or run.world.stop.is_set():
            break
        left = _left(patience, run.world.monotonic() - began)
        if left <= 0:
            return View(situation=view.situation, held=view.held, jobs=view.jobs, timed_out=True)
        run.world.sleep(min(pause, left))
        if run.world.stop.is_set():
            break
        try:
            fresh = _glance(run, view)
            if fresh is None:
                view = _seen(look(), held())
            else:
                view = View(situation=view.situation, held=view.held, jobs={**view.jobs, **fresh})
        except (ApiError, ListingError) as error:
            failures += 1
            if failures >= patience.failures or not _passes(error):
                raise
            run.world.log("wait.look_failed", error=str(error), failures=failures)
        else:
            failures = 0
    return view


def _left(patience: Patience, elapsed: float) -> float:
    """Return the seconds that are left, in whole milliseconds: a clock may never notice a shorter sleep."""
    if patience.timeout_seconds is None:
        return math.inf
    return math.ceil((patience.timeout_seconds - elapsed) * 1000) / 1000


def _passes(error: ReconcilerError) -> bool:
    return error.transient if isinstance(error, ApiError) else True


def _seen(situation: Situation, held: frozenset[str]) -> View:
    observed = situation.observed
    jobs = [*(it.job for it in observed.ours), *(it.job for it in observed.unreadable)]
    return View(situation=situation, held=held, jobs={job.id: job for job in jobs})


def _glance(run: Run[ApiT], view: View) -> Mapping[str, Job] | None:
    """Return the jobs that are waited for as they stand now; None where a full look is due."""
    ids: Collection[str] = view.awaited.keys()
    if len(ids) < sum(stand is Stand.RUNNING for stand in view.stands.values()):
        return None  # something is waited for that no job explains: room, or a create whose outcome is open
    fresh = listing.newest(run, ids)
    ended = [job for job in fresh.values() if job.phase.ended]
    for job in ended:
        run.world.log(
            "job.ended",
            name=view.awaited[job.id],
            job_id=job.id,
            status=job.status,
            succeeded=job.succeeded_requests,
            failed=job.failed_requests,
        )
    return None if ended or len(fresh) < len(ids) else fresh

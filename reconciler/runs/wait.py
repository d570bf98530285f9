"""Waits for jobs: polls the newest pages of the list for all of them, at growing, jittered intervals.

A full plan (specs against the whole list) is made at the start and whenever an awaited job has ended or cannot be
found. In between, only the newest pages are read, as many as needed to see each job. Waiting outlasts an outage of the
API; it ends with the last job, the timeout, a signal, or an error that waiting cannot resolve.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from msgspec import structs

from reconciler.api.errors import ApiError
from reconciler.context import ApiT, RunContext
from reconciler.documents.reports import WaitDoc
from reconciler.errors import ExitCode, ListingError
from reconciler.model import Job
from reconciler.planning.standing import Readiness
from reconciler.plans import name_status
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.status_view import status_doc
from reconciler.workspace import listing


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How often to poll, and for how long."""

    first_seconds: float = 2.0
    factor: float = 1.5
    """Each interval is the one before times this."""
    most_seconds: float = 60.0
    jitter: float = 0.2
    """Up to this share is added to or taken from each interval, so that many runners do not poll at once."""
    timeout_seconds: float | None = None
    failures: int = 10
    """How many polls in a row may fail."""

    def pauses(self, random: Random) -> Iterator[float]:
        """Yield the seconds before each poll, without end."""
        seconds = self.first_seconds
        while True:
            yield seconds * random.uniform(1 - self.jitter, 1 + self.jitter)
            seconds = min(self.most_seconds, seconds * self.factor)


@dataclass(frozen=True, kw_only=True)
class WaitState:
    """The state at the last poll."""

    planned: PlannedRun
    held: frozenset[str] = frozenset()
    """Names that the quota holds and that this run will create once there is room."""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    """Our jobs by id, some of them newer than the plan."""
    timed_out: bool = False

    @property
    def readiness(self) -> Mapping[str, Readiness]:
        """How far each declared name is."""
        decisions = self.planned.document.decisions
        return {it.name: name_status.readiness(it, self.held) for it in decisions if it.declared_at}

    @property
    def awaited(self) -> Mapping[str, tuple[str, ...]]:
        """The awaited jobs: job id to names."""
        return name_status.awaited(self.planned.document.decisions, self.held)

    @property
    def all_succeeded(self) -> bool:
        """Whether all wanted work has succeeded, with no more failed requests than allowed."""
        return not self.timed_out and set(self.readiness.values()) <= {Readiness.DONE, Readiness.IDLE}

    def document(self, code: ExitCode) -> WaitDoc:
        """Return the final state of all jobs."""
        declared = self.planned.declared
        return WaitDoc(
            **structs.asdict(status_doc(self.planned.document, declared.later, declared.selected)),
            readiness={name: stand.value for name, stand in self.readiness.items()},
            timed_out=self.timed_out,
            exit_code=int(code),
        )


def wait_until_ended(
    run: RunContext[ApiT],
    look: Callable[[], PlannedRun],
    policy: PollPolicy,
    show: Callable[[WaitState], object],
    held: Callable[[], frozenset[str]] = frozenset,
) -> WaitState:
    """Wait until no wanted work is running; `show` is called with every state.

    `look` reads everything and plans; it may also act. `held` returns the names that it will create once there is room.
    Raises `ApiError` if the API refuses to be read, or could not be read many times in a row; `ListingError` if the
    list was incomplete many times in a row.
    """
    began = run.env.monotonic()
    state = _state_of(look(), held())
    failures = 0
    for pause in policy.pauses(run.env.random):
        show(state)
        if Readiness.RUNNING not in state.readiness.values() or run.env.stop.is_set():
            break
        left = _left(policy, run.env.monotonic() - began)
        if left <= 0:
            return replace(state, timed_out=True)
        run.env.sleep(min(pause, left))
        if run.env.stop.is_set():
            break
        try:
            fresh = _poll_newest(run, state)
            state = replace(state, jobs={**state.jobs, **fresh}) if fresh else _state_of(look(), held())
        except (ApiError, ListingError) as error:
            failures += 1
            if failures >= policy.failures or (isinstance(error, ApiError) and not error.transient):
                raise
            run.env.log("wait.poll_failed", error=str(error), failures=failures)
        else:
            failures = 0
    return state


def _left(policy: PollPolicy, elapsed: float) -> float:
    """Return the seconds that are left, in whole milliseconds: a shorter sleep may not advance the clock."""
    if policy.timeout_seconds is None:
        return math.inf
    return math.ceil((policy.timeout_seconds - elapsed) * 1000) / 1000


def _state_of(planned: PlannedRun, held: frozenset[str]) -> WaitState:
    jobs = {job.id: job for job in planned.observed.our_jobs}
    return WaitState(planned=planned, held=held, jobs=jobs)


def _poll_newest(run: RunContext[ApiT], state: WaitState) -> Mapping[str, Job]:
    """Return the awaited jobs in their current state; none if a full plan is due."""
    ids: Collection[str] = state.awaited.keys()
    running = sum(readiness is Readiness.RUNNING for readiness in state.readiness.values())
    if sum(map(len, state.awaited.values())) < running:
        return {}  # some name waits for something other than a job: room, or a create with an unknown outcome
    fresh = listing.newest(run, ids)
    ended = [job for job in fresh.values() if job.phase.ended]
    for job in ended:
        run.env.log(
            "job.ended",
            name=", ".join(state.awaited[job.id]),
            job_id=job.id,
            status=job.status,
            succeeded=job.succeeded_requests,
            failed=job.failed_requests,
        )
    return {} if ended or len(fresh) < len(ids) else fresh


def log_finished(run: RunContext[ApiT], state: WaitState) -> None:
    """Log the numbers of a finished wait."""
    counts = Counter(it.value for it in state.readiness.values())
    run.env.log(
        "wait.finished",
        **{name: counts[name] for name in ("done", "attention", "pending", "running")},
        timed_out=int(state.timed_out),
        elapsed_ms=round((run.env.monotonic() - run.began) * 1000),
    )

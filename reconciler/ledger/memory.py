"""Memory: the ledger as a frozen value, empty without a ledger. The planner reads this and never a file."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reconciler.ledger.lines import CreateIntended, UsageSeen, WorkSeen
from reconciler.model import Phase, RunKey
from reconciler.model.money import DOLLAR


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """A job that this ledger saw created or ended."""

    job_id: str
    name: str
    run_key: RunKey
    attempt: int
    at: float
    """Unix seconds, the clock of the writing host: when the ledger first saw it."""
    created_at: int = 0
    """Unix seconds, the server's clock."""
    ended_at: float = -1.0
    """When it last saw the job ended; -1 if it did not."""
    op: str = ""
    """The op of its create; "" if the ledger only saw it end."""
    phase: Phase | None = None
    """How it ended, None if that is not known."""
    has_answers: bool = False
    """Whether it had answers when it had ended."""
    most: int | None = None
    """The most that it can cost, in micros of `currency`; None if that was not known."""
    currency: str = DOLLAR


class Doubt(NamedTuple):
    """Why a create needs a person's agreement: the ledger may say something about its work that cannot be read."""

    says: str
    name: str = ""
    """Like `work`, "" if that is not known. A doubt without both is about every name."""
    work: str = ""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is remembered about one target. The order of the lines does not matter."""

    open_creates: tuple[CreateIntended, ...] = ()
    """Creates that were intended or sent and have no known outcome; `at` is the last time at which each may be sent."""
    jobs: Mapping[str, Remembered] = field(default_factory=dict)
    """By job id."""
    other_work: tuple[Remembered, ...] = ()
    """The same jobs under other run keys, if lines contradict each other: neither line makes a create possible."""
    cancels: Mapping[str, str] = field(default_factory=dict)
    """Our own cancels that the API accepted while the job was running: job id to reason."""
    doubted_cancels: Mapping[str, str] = field(default_factory=dict)
    """The same, if they count only together with the tag of a replacement."""
    cancelled_by: Mapping[str, str] = field(default_factory=dict)
    """Who says so, for readers: job id to actor and run."""
    doubts: tuple[Doubt, ...] = ()
    open_cancels: frozenset[str] = frozenset()
    """The jobs with an intended cancel that is not known to be accepted: it may never have been sent."""
    deleted_files: Mapping[str, bool] = field(default_factory=dict)
    """The files at the provider that a run was about to delete, by id: whether they are known to be gone."""
    seen: Mapping[RunKey, WorkSeen] = field(default_factory=dict)
    """The last join of the results of each work."""
    usage: Mapping[str, UsageSeen] = field(default_factory=dict)
    """What the results of jobs say that they used: by job id."""
    settle_seconds: float = 60.0
    """How long after its intent a create may still take effect."""

    @cached_property
    def by_run_key(self) -> Mapping[RunKey, tuple[Remembered, ...]]:
        """The remembered jobs of each run key."""
        found: dict[RunKey, tuple[Remembered, ...]] = defaultdict(tuple)
        for remembered in (*(self.jobs[job_id] for job_id in sorted(self.jobs)), *self.other_work):
            found[remembered.run_key] += (remembered,)
        return dict(found)

    @cached_property
    def doubted(self) -> Memory:
        """What is left of the memory if no line is believed that alone makes another create possible.

        Such lines say that this tool cancelled a job, or that a job whose record is gone had failed.
        """
        jobs = {job_id: doubted(it) for job_id, it in self.jobs.items()}
        return dataclasses.replace(self, jobs=jobs, cancels={}, doubted_cancels=self.cancels)

    @cached_property
    def open_by_run_key(self) -> Mapping[RunKey, tuple[CreateIntended, ...]]:
        """The creates of each run key whose outcome is not known."""
        found: dict[RunKey, tuple[CreateIntended, ...]] = defaultdict(tuple)
        for intent in self.open_creates:
            found[RunKey(intent.work, intent.rerun)] += (intent,)
        return dict(found)

    @cached_property
    def open_by_name(self) -> Mapping[str, tuple[CreateIntended, ...]]:
        """The creates under each name whose outcome is not known, whatever their work."""
        found: dict[str, tuple[CreateIntended, ...]] = defaultdict(tuple)
        for intent in self.open_creates:
            found[intent.name] += (intent,)
        return dict(found)

    def knows(self, job_id: str, op: str) -> bool:
        """Return whether the ledger would have our cancel of a job: it saw the job created, or a cancel intended."""
        job = self.jobs.get(job_id)
        return (
            (job is not None and job.op != "")
            or job_id in self.cancels
            or job_id in self.doubted_cancels
            or job_id in self.open_cancels
            or any(intent.op == op for intent in self.open_creates)
        )

    def settles_at(self, intent: CreateIntended) -> float:
        """Return the Unix time after which the absence of the intended job means that it was never created."""
        return intent.at + self.settle_seconds

    def recent(self, now: float) -> frozenset[str]:
        """Return the ids of the jobs that were created less than a settle time before `now`.

        The list may not show them yet, and GET may not know them yet, so their absence means nothing.
        """
        return frozenset(
            job_id for job_id, known in self.jobs.items() if now < known.at + self.settle_seconds
        )

    def reopened(self, missing_ids: Collection[str], *, now: float) -> Memory:
        """Return the memory with the creates of recent, missing jobs as open: these jobs may still appear."""
        again = tuple(
            CreateIntended(
                at=known.at,
                run_id="",
                op=known.op,
                name=known.name,
                work=known.run_key.work,
                rerun=known.run_key.rerun,
                attempt=known.attempt,
                reason="",
            )
            for known in (self.jobs[job_id] for job_id in sorted(self.recent(now).intersection(missing_ids)))
            if known.phase is None
        )
        return dataclasses.replace(self, open_creates=(*self.open_creates, *again)) if again else self


def doubted(it: Remembered) -> Remembered:
    """Return a job without an end that would make another create possible."""
    return it if it.phase is Phase.SUCCEEDED or it.has_answers else replace(it, phase=None)

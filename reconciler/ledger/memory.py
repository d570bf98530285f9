"""Memory: the ledger as a frozen value, empty without a ledger. The planner reads this and never a file."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import assert_never

from msgspec.structs import replace

from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Ended,
    Line,
    NotificationLine,
    encode,
)
from reconciler.model import Job, Phase, RunKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A job that this ledger saw created or ended."""

    job_id: str
    name: str
    run_key: RunKey
    attempt: int
    at: float
    """Unix seconds, the clock of the writing host: when the ledger first saw it."""
    op: str = ""
    """The op of its create; "" if the ledger only saw it end."""
    phase: Phase | None = None
    """How it ended, None if that is not known."""
    has_answers: bool = False
    """Whether it had answers when it had ended."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is remembered about one target. The order of the lines does not matter."""

    open_creates: tuple[CreateIntended, ...] = ()
    """Creates that were intended or sent and have no known outcome; `at` is the last time at which each may be sent."""
    jobs: Mapping[str, Remembered] = field(default_factory=dict)
    """By job id."""
    made: frozenset[str] = frozenset()
    """The ids of the jobs that this ledger saw being created."""
    cancels: Mapping[str, str] = field(default_factory=dict)
    """Our own cancels that the API accepted while the job was running: job id to reason."""
    open_cancels: frozenset[str] = frozenset()
    """The jobs with an intended cancel that is not known to be accepted: it may never have been sent."""
    settle_seconds: float = 60.0
    """How long after its intent a create may still take effect."""

    @cached_property
    def by_run_key(self) -> Mapping[RunKey, tuple[Remembered, ...]]:
        """The remembered jobs of each run key."""
        found: dict[RunKey, tuple[Remembered, ...]] = defaultdict(tuple)
        for job_id in sorted(self.jobs):
            remembered = self.jobs[job_id]
            found[remembered.run_key] += (remembered,)
        return dict(found)

    @cached_property
    def open_by_run_key(self) -> Mapping[RunKey, tuple[CreateIntended, ...]]:
        """The creates of each run key whose outcome is not known."""
        found: dict[RunKey, tuple[CreateIntended, ...]] = defaultdict(tuple)
        for intent in self.open_creates:
            found[RunKey(intent.work, intent.rerun)] += (intent,)
        return dict(found)

    def knows(self, job_id: str, op: str) -> bool:
        """Return whether the ledger would have our cancel of a job: it saw the job created, or a cancel intended."""
        return (
            job_id in self.made
            or job_id in self.cancels
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


def remember(lines: Iterable[Line], *, settle_seconds: float) -> Memory:
    """Fold ledger lines into memory."""
    intents: dict[str, CreateIntended] = {}
    sendable: dict[str, float] = {}
    settled: set[str] = set()
    jobs: dict[str, Remembered] = {}
    cancels: list[CancelIntended | CancelEnded] = []
    made: set[str] = set()
    for line in _in_order(lines):
        match line:
            case CreateIntended():
                intents[line.op] = line
                sendable[line.op] = max(sendable.get(line.op, 0.0), line.at + line.lease)
            case CreateRefused():
                settled.add(line.op)
            case CreateConfirmed():
                settled.add(line.op)
                made.add(line.job_id)
                jobs.setdefault(line.job_id, _remembered(line, at=line.at, op=line.op))
            case Ended():
                known = jobs.get(line.job_id)
                at, op = (known.at, known.op) if known else (line.at, "")
                jobs[line.job_id] = _remembered(line, at=at, op=op, ended=line.job)
            case CancelIntended() | CancelEnded():
                cancels.append(line)
            case CreateUnknown():
                sendable[line.op] = line.at  # its run has given up, so its lease is over
            case NotificationLine():
                pass  # notifications decide nothing about a job: `ledger.notifications`
            case _:
                assert_never(line)
    accepted = _accepted(cancels)
    return Memory(
        open_creates=tuple(
            replace(intents[op], at=sendable[op], lease=0.0) for op in sorted(intents) if op not in settled
        ),
        jobs=jobs,
        made=frozenset(made),
        cancels=accepted,
        open_cancels=frozenset(line.job_id for line in cancels) - accepted.keys(),
        settle_seconds=settle_seconds,
    )


def _in_order(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield lines by time, and those of one moment by their text: ledgers are merged in any order."""
    for _, together in groupby(sorted(lines, key=attrgetter("at")), key=attrgetter("at")):
        some = list(together)
        yield from some if len(some) == 1 else sorted(some, key=encode)


def _accepted(lines: Iterable[CancelIntended | CancelEnded]) -> dict[str, str]:
    """Return the reason of the first cancel of each job that the API accepted. Lines are sorted by time."""
    reasons: dict[tuple[str, str], str] = {}
    runs: dict[str, str] = {}
    for line in lines:
        if isinstance(line, CancelIntended):
            reasons[line.job_id, line.run_id] = line.reason
        elif not line.error:
            runs.setdefault(line.job_id, line.run_id)
    return {job_id: reasons[job_id, run] for job_id, run in runs.items() if (job_id, run) in reasons}


def _remembered(line: CreateConfirmed | Ended, *, at: float, op: str, ended: Job | None = None) -> Remembered:
    return Remembered(
        job_id=line.job_id,
        name=line.name,
        run_key=RunKey(line.work, line.rerun),
        attempt=line.attempt,
        at=at,
        op=op,
        phase=ended.phase if ended else None,
        has_answers=ended is not None and ended.has_answers,
    )

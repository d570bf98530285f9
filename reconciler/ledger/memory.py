"""Memory: the ledger as a frozen value, empty without a ledger. The planner reads this and never a file."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, assert_never

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
    NewerLine,
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
    made: frozenset[str] = frozenset()
    """The ids of the jobs that this ledger saw being created."""
    cancels: Mapping[str, str] = field(default_factory=dict)
    """Our own cancels that the API accepted while the job was running: job id to reason."""
    doubted_cancels: Mapping[str, str] = field(default_factory=dict)
    """The same, if they count only together with the tag of a replacement."""
    cancelled_by: Mapping[str, str] = field(default_factory=dict)
    """Who says so, for readers: job id to actor and run."""
    doubts: tuple[Doubt, ...] = ()
    open_cancels: frozenset[str] = frozenset()
    """The jobs with an intended cancel that is not known to be accepted: it may never have been sent."""
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
        jobs = {job_id: _doubted(it) for job_id, it in self.jobs.items()}
        return dataclasses.replace(self, jobs=jobs, cancels={}, doubted_cancels=self.cancels)

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


def remember(lines: Iterable[Line], *, settle_seconds: float) -> Memory:
    """Fold ledger lines into memory."""
    intents: dict[tuple[str, RunKey], CreateIntended] = {}
    sendable: dict[str, float] = {}
    settled: set[str] = set()
    known: dict[tuple[str, RunKey], Remembered] = {}
    cancels: list[CancelIntended | CancelEnded] = []
    made: set[str] = set()
    for line in _in_order(lines):
        match line:
            case CreateIntended():
                intents[line.op, RunKey(line.work, line.rerun)] = line
                sendable[line.op] = max(sendable.get(line.op, 0.0), line.at + line.lease)
            case CreateRefused():
                settled.add(line.op)
            case CreateConfirmed():
                settled.add(line.op)
                made.add(line.job_id)
                _add(known, _remembered(line))
            case Ended():
                _add(known, _remembered(line, line.job))
            case CancelIntended() | CancelEnded():
                cancels.append(line)
            case CreateUnknown():
                sendable[line.op] = line.at  # its run has given up, so its lease is over
            case NotificationLine() | NewerLine():
                pass  # notifications decide nothing about a job: `ledger.notifications`
            case _:
                assert_never(line)
    accepted = _accepted(cancels)
    jobs: dict[str, Remembered] = {}
    for about in known.values():
        jobs.setdefault(about.job_id, about)
    return Memory(
        open_creates=tuple(
            replace(intents[key], at=sendable[key[0]], lease=0.0)
            for key in sorted(intents)
            if key[0] not in settled
        ),
        jobs=jobs,
        other_work=tuple(_doubted(known[key]) for key in sorted(known) if known[key] is not jobs[key[0]]),
        made=frozenset(made),
        cancels={job_id: line.reason for job_id, line in accepted.items()},
        cancelled_by={job_id: f"{it.actor or 'unknown'}, run {it.run_id}" for job_id, it in accepted.items()},
        open_cancels=frozenset(line.job_id for line in cancels) - accepted.keys(),
        settle_seconds=settle_seconds,
    )


def _in_order(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield lines by time, and those of one moment by their text: ledgers are merged in any order."""
    for _, together in groupby(sorted(lines, key=attrgetter("at")), key=attrgetter("at")):
        some = list(together)
        yield from some if len(some) == 1 else sorted(some, key=encode)


def _accepted(lines: Iterable[CancelIntended | CancelEnded]) -> dict[str, CancelIntended]:
    """Return the first cancel of each job that the API accepted. Lines are sorted by time."""
    reasons: dict[tuple[str, str], CancelIntended] = {}
    runs: dict[str, str] = {}
    for line in lines:
        if isinstance(line, CancelIntended):
            reasons[line.job_id, line.run_id] = line
        elif not line.error:
            runs.setdefault(line.job_id, line.run_id)
    return {job_id: reasons[job_id, run] for job_id, run in runs.items() if (job_id, run) in reasons}


def _doubted(it: Remembered) -> Remembered:
    """Return a job without an end that would make another create possible."""
    final = it.phase is Phase.SUCCEEDED or it.has_answers
    return it if final else dataclasses.replace(it, phase=None)


def _add(known: dict[tuple[str, RunKey], Remembered], about: Remembered) -> None:
    """Add what a line says about a job. A success, answers and the highest attempt stay, whatever a later line says."""
    key = about.job_id, about.run_key
    if before := known.get(key):
        about = dataclasses.replace(
            before,
            op=before.op or about.op,
            attempt=max(before.attempt, about.attempt),
            phase=before.phase if before.phase is Phase.SUCCEEDED else about.phase or before.phase,
            has_answers=before.has_answers or about.has_answers,
        )
    known[key] = about


def _remembered(line: CreateConfirmed | Ended, ended: Job | None = None) -> Remembered:
    return Remembered(
        job_id=line.job_id,
        name=line.name,
        run_key=RunKey(line.work, line.rerun),
        attempt=line.attempt,
        at=line.at,
        op=line.op if isinstance(line, CreateConfirmed) else "",
        phase=ended.phase if ended else None,
        has_answers=ended is not None and ended.has_answers,
    )

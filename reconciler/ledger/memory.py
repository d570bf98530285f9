"""Memory: the ledger as a frozen value, empty without a ledger. The planner reads this and never a file."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar, assert_never

from msgspec import Struct
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
from reconciler.model import Phase, RunKey


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """A job that this ledger saw created or ended."""

    job_id: str
    name: str
    run_key: RunKey
    attempt: int
    at: float
    """Unix seconds, the clock of the writing host: when the ledger first saw it."""
    ended_at: float = -1.0
    """When it last saw the job ended; -1 if it did not."""
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


def remember(lines: Iterable[Line], *, settle_seconds: float) -> Memory:
    """Fold ledger lines into memory.

    The lines are read once and not kept: of a job and of a settled create only what decides something remains, so that
    a ledger of years fits into memory.
    """
    sent: dict[str, list[CreateIntended]] = defaultdict(list)
    given_up: dict[str, float] = {}
    settled: set[str] = set()
    jobs: dict[str, Remembered] = {}
    other_work: dict[tuple[str, RunKey], Remembered] = {}
    names: dict[str, str] = {}
    cancels: list[CancelIntended | CancelEnded] = []
    for line in lines:
        match line:
            case CreateIntended():
                if line.op not in settled:
                    sent[line.op].append(line)
            case CreateConfirmed() | Ended():
                name = names.setdefault(line.name, line.name)  # one text for all jobs of a name
                _add(jobs, other_work, line, name)
                if isinstance(line, CreateConfirmed):
                    settled.add(line.op)
                    sent.pop(line.op, None)
            case CreateRefused():
                settled.add(line.op)
                sent.pop(line.op, None)
            case CancelIntended() | CancelEnded():
                cancels.append(line)
            case CreateUnknown():
                given_up[line.op] = max(given_up.get(line.op, -1.0), line.at)
            case NotificationLine() | NewerLine():
                pass  # notifications decide nothing about a job: `ledger.notifications`
            case _:
                assert_never(line)
    accepted = _accepted(_in_order(cancels))
    return Memory(
        open_creates=tuple(
            _open((it for it in sent[op] if (it.work, it.rerun) == about), given_up.get(op, -1.0))
            for op in sorted(sent)
            for about in sorted({(it.work, it.rerun) for it in sent[op]})
        ),
        other_work=_contradictions(jobs, other_work),
        jobs=jobs,
        cancels={job_id: line.reason for job_id, line in accepted.items()},
        cancelled_by={job_id: f"{it.actor or 'unknown'}, run {it.run_id}" for job_id, it in accepted.items()},
        open_cancels=frozenset(line.job_id for line in cancels) - accepted.keys(),
        settle_seconds=settle_seconds,
    )


_AnyLine = TypeVar("_AnyLine", bound=Line)


def _in_order(lines: Iterable[_AnyLine]) -> list[_AnyLine]:
    """Return lines by time, and those of one moment by their text: ledgers are merged in any order."""
    return sorted(lines, key=lambda line: (line.at, encode(line)))


def _open(intents: Iterable[CreateIntended], given_up: float) -> CreateIntended:
    """Return the last intent of an op, with the last time at which its create may be sent.

    A run that has given up sends nothing any more, so its lease is over.
    """
    ordered = _in_order(intents)
    ends = (it.at + it.lease for it in ordered if it.at > given_up)
    return replace(ordered[-1], at=max(given_up, *ends, 0.0), lease=0.0)


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
    return it if it.phase is Phase.SUCCEEDED or it.has_answers else replace(it, phase=None)


def _add(
    jobs: dict[str, Remembered],
    other_work: dict[tuple[str, RunKey], Remembered],
    line: CreateConfirmed | Ended,
    name: str,
) -> None:
    """Add a line about a job; if another line gives the job other work, beside it."""
    key, known = RunKey(line.work, line.rerun), jobs.get(line.job_id)
    if known is None or known.run_key == key:
        jobs[line.job_id] = _joined(known, line, name)
    else:
        other_work[line.job_id, key] = _joined(other_work.get((line.job_id, key)), line, name)


def _contradictions(
    jobs: dict[str, Remembered], other_work: Mapping[tuple[str, RunKey], Remembered]
) -> tuple[Remembered, ...]:
    """Return what lines say of jobs beside what counts in `jobs`, which does not depend on the order of the lines."""
    found = []
    for other in other_work.values():
        jobs[other.job_id], less = sorted((other, jobs[other.job_id]), key=_weight, reverse=True)
        found.append(_doubted(less))
    return tuple(sorted(found, key=lambda it: (it.job_id, it.run_key)))


def _joined(known: Remembered | None, line: CreateConfirmed | Ended, name: str) -> Remembered:
    """Add a line to the facts about its job. The last end counts; before one, the first confirmation.

    A success, answers and the highest attempt stay, whatever another line says.
    """
    ended = isinstance(line, Ended)
    key = RunKey(line.work, line.rerun)
    new = Remembered(
        job_id=known.job_id if known else line.job_id,
        name=name,
        run_key=known.run_key if known else key,
        attempt=line.attempt,
        at=line.at,
        ended_at=line.at if ended else -1.0,
        op="" if isinstance(line, Ended) else line.op,
        phase=line.job.phase if ended else None,
        has_answers=ended and line.job.has_answers,
    )
    if known is None:
        return new
    facts = max(known, new, key=_weight)
    return replace(
        facts,
        at=min(known.at, new.at),
        op=max(known.op, new.op),
        attempt=max(known.attempt, new.attempt),
        phase=Phase.SUCCEEDED if Phase.SUCCEEDED in (known.phase, new.phase) else facts.phase,
        has_answers=known.has_answers or new.has_answers,
    )


def _weight(it: Remembered) -> tuple[object, ...]:
    """Return the rank of what two lines say of one job; of two that ended at one moment, the values decide."""
    values = (it.name, it.phase or "", it.run_key)
    return (it.ended_at, -it.at if it.ended_at < 0 else 0.0, values)

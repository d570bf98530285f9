"""Folds ledger lines into memory. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar, assert_never

from msgspec.structs import replace

from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Ended,
    FileDelete,
    Line,
    NewerLine,
    NotificationLine,
    UsageSeen,
    WorkSeen,
)
from reconciler.ledger.memory import Memory, Remembered, doubted
from reconciler.model import Phase, RunKey


def remember(lines: Iterable[Line], *, settle_seconds: float) -> Memory:
    """Fold ledger lines into memory.

    The lines are read once and not kept: of a job and of a settled create only what decides something remains, so that
    a ledger of years fits into memory.
    """
    sent: dict[str, list[CreateIntended]] = defaultdict(list)
    given_up: dict[str, float] = {}
    settled: set[str] = set()
    jobs: dict[str, Remembered] = {}
    works: dict[str, set[RunKey]] = defaultdict(set)
    names: dict[str, str] = {}
    others: list[CancelIntended | CancelEnded | FileDelete | WorkSeen | UsageSeen] = []
    for line in lines:
        match line:
            case CreateIntended():
                if line.op not in settled:
                    sent[line.op].append(line)
            case CreateConfirmed() | Ended():
                name = names.setdefault(line.name, line.name)  # one text for all jobs of a name
                known, key = jobs.get(line.job_id), RunKey(line.work, line.rerun)
                if known and known.run_key != key:
                    works[line.job_id] |= {known.run_key, key}
                jobs[line.job_id] = _joined(known, line, name)
            case CancelIntended() | CancelEnded() | FileDelete() | WorkSeen() | UsageSeen():
                others.append(line)
            case CreateUnknown():
                given_up[line.op] = max(given_up.get(line.op, -1.0), line.at)
            case CreateRefused() | NotificationLine() | NewerLine():
                pass  # they say nothing about a job; notifications: `notifications.due`
            case _:
                assert_never(line)
        if isinstance(line, CreateConfirmed | CreateRefused):
            settled.add(line.op)
            sent.pop(line.op, None)
    cancels = [line for line in others if isinstance(line, CancelIntended | CancelEnded)]
    accepted = _accepted(_in_order(cancels))
    return Memory(
        open_creates=tuple(
            _open((it for it in sent[op] if (it.work, it.rerun) == about), given_up.get(op, -1.0))
            for op in sorted(sent)
            for about in sorted({(it.work, it.rerun) for it in sent[op]})
        ),
        other_work=tuple(
            doubted(replace(jobs[job_id], run_key=key))
            for job_id in sorted(works)
            for key in sorted(works[job_id] - {jobs[job_id].run_key})
        ),
        jobs=jobs,
        cancels={job_id: line.reason for job_id, line in accepted.items()},
        cancelled_by={job_id: f"{it.actor or 'unknown'}, run {it.run_id}" for job_id, it in accepted.items()},
        open_cancels=frozenset(line.job_id for line in cancels) - accepted.keys(),
        deleted_files=dict(sorted((it.file_id, it.gone) for it in others if isinstance(it, FileDelete))),
        seen={
            RunKey(it.work, it.rerun): it for it in _in_order(it for it in others if isinstance(it, WorkSeen))
        },
        usage=_usage(it for it in others if isinstance(it, UsageSeen)),
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


def _usage(lines: Iterable[UsageSeen]) -> dict[str, UsageSeen]:
    """Return the line with the most answers of each job: results only grow."""
    found: dict[str, UsageSeen] = {}
    for line in lines:
        other = found.setdefault(line.job_id, line)
        if other is not line:
            found[line.job_id] = max(other, line, key=lambda it: (it.usage.answers, it.at, encode(it)))
    return found


def _joined(known: Remembered | None, line: CreateConfirmed | Ended, name: str) -> Remembered:
    """Add a line to the facts about its job. The last end counts; before one, the first confirmation.

    A success, answers, the highest attempt and the highest cost stay, whatever another line says.
    """
    ended = isinstance(line, Ended)
    key = RunKey(line.work, line.rerun)
    new = Remembered(
        job_id=known.job_id if known else line.job_id,
        name=name,
        run_key=known.run_key if known and known.run_key == key else key,
        attempt=line.attempt,
        at=line.at,
        created_at=line.job.created_at,
        ended_at=line.at if ended else -1.0,
        op="" if isinstance(line, Ended) else line.op,
        phase=line.job.phase if ended else None,
        has_answers=ended and line.job.has_answers,
        most=line.most,
        currency=line.currency,
    )
    if known is None:
        return new
    facts = max(known, new, key=_weight)
    dearer = max(known, new, key=lambda it: (-1 if it.most is None else it.most, it.currency))
    return replace(
        facts,
        at=min(known.at, new.at),
        created_at=max(known.created_at, new.created_at),
        op=max(known.op, new.op),
        attempt=max(known.attempt, new.attempt),
        phase=Phase.SUCCEEDED if Phase.SUCCEEDED in (known.phase, new.phase) else facts.phase,
        has_answers=known.has_answers or new.has_answers,
        most=dearer.most,
        currency=dearer.currency,
    )


def _weight(it: Remembered) -> tuple[object, ...]:
    """Return the rank of what two lines say of one job; of two that ended at one moment, the values decide."""
    values = (it.name, it.phase or "", it.run_key)
    return (it.ended_at, -it.at if it.ended_at < 0 else 0.0, values)

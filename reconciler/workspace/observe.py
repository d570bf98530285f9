"""The workspace, sorted by what each job is to us, with what the list does not show yet, or no longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from msgspec.structs import replace

from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError
from reconciler.context import ApiT, Run
from reconciler.ledger.memory import Memory, Remembered
from reconciler.model import Elsewhere, Job, Observed, Ours, Pending, RunKey, Unreadable, tags
from reconciler.workspace.listing import Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What makes a job interesting."""

    project: str
    wanted: frozenset[RunKey]
    """The run keys that are declared, under every digest version."""
    adopted: frozenset[str] = frozenset()
    """The ids of jobs that specs adopt."""


def with_remembered(run: Run[ApiT], watched: Watched, memory: Memory, listed: Listed) -> Observed:
    """Sort a list, and ask for the remembered and the adopted jobs that it does not show yet, or no longer.

    Of the remembered jobs it asks for those whose work is wanted, and for those that were created so recently that
    the list may not show them yet.

    Raises:
        ApiError: the API could not be read.
    """
    remembered = {known.job_id for key in watched.wanted for known in memory.by_run_key.get(key, ())}
    remembered |= memory.recent(listed.began)
    missing = sorted((remembered | watched.adopted) - {job.id for job in listed.jobs})
    got = run.world.spread(partial(_get, run.api), missing, at_once=run.limits.reads_in_flight)
    asked = dict(zip(missing, got, strict=True))
    late = [job for job in asked.values() if job is not None]
    gone = frozenset(job_id for job_id, job in asked.items() if job is None)
    known = by_memory(memory, listed.jobs)
    found = sort_out((*listed.jobs, *late), watched, gone=gone, known=known)
    return replace(found, pages=listed.pages, began=listed.began)


def by_memory(memory: Memory, listed: Iterable[Job]) -> dict[str, Remembered]:
    """Return what the ledger knows of jobs: by id, and by op where a run was interrupted before it heard the id."""
    known = dict(memory.jobs)
    by_op = {f"op={intent.op}": intent for intent in memory.open_creates}
    for job in listed if by_op else ():
        for word in by_op.keys() & str(job.metadata.get(tags.RUN, "")).split(" "):
            intent = by_op[word]
            known[job.id] = Remembered(
                job_id=job.id,
                name=intent.name,
                run_key=RunKey(intent.work, intent.rerun),
                attempt=intent.attempt,
                at=intent.at,
                op=intent.op,
            )
    return known


def _get(reader: Reader, job_id: str) -> Job | None:
    try:
        return reader.get_job(job_id)
    except NotFoundError:
        return None


def sort_out(
    jobs: Iterable[Job],
    watched: Watched,
    *,
    gone: frozenset[str] = frozenset(),
    known: Mapping[str, Remembered] = MappingProxyType({}),
) -> Observed:
    """Sort jobs by what they are to us. Pure.

    Args:
        jobs: everybody's.
        watched: whose jobs are ours.
        gone: ids that the API no longer knows.
        known: ours by the ledger, by id. One whose tags deny that was tampered with, and is no stranger's job.
    """
    ours: list[Ours] = []
    unreadable: list[Unreadable] = []
    elsewhere: list[Elsewhere] = []
    named: list[Job] = []
    total = mine = others = 0
    for job in jobs:
        total += 1
        if job.id in watched.adopted:
            named.append(job)
        project, remembered = tags.project_of(job), known.get(job.id)
        if project != watched.project and remembered is not None:
            unreadable.append(_tampered_with(job, remembered))
            continue
        if project is None:
            others += _pending(job, None)
            continue
        read = tags.read(job)
        pending = _pending(job, read.tags.requests if isinstance(read, Ours) else None)
        if project == watched.project:
            mine += pending
        else:
            others += pending
        if project == watched.project:
            if isinstance(read, Ours):
                ours.append(read)
            else:
                unreadable.append(_completed(read, remembered))
        elif isinstance(read, Ours) and read.tags.run_key in watched.wanted:
            elsewhere.append(
                Elsewhere(job=job, project=project, name=read.tags.name, run_key=read.tags.run_key)
            )
    return Observed(
        ours=tuple(ours),
        unreadable=tuple(unreadable),
        elsewhere=tuple(elsewhere),
        named=tuple(named),
        gone=gone,
        total=total,
        pending=Pending(ours=mine, others=others),
    )


def _tampered_with(job: Job, remembered: Remembered) -> Unreadable:
    """Say what the ledger knows of a job whose tags deny that it is ours."""
    return Unreadable(
        job=job,
        name=remembered.name,
        run_key=remembered.run_key,
        newer=False,
        problem=f"its tag {tags.PROJECT} is missing or altered",
    )


def _completed(read: Unreadable, remembered: Remembered | None) -> Unreadable:
    """Add what the ledger knows of a job to what its tags still tell."""
    if remembered is None:
        return read
    return replace(read, name=read.name or remembered.name, run_key=read.run_key or remembered.run_key)


def _pending(job: Job, bought: int | None) -> int:
    """Return how many requests a job is still to answer, as far as its total or its tags show."""
    if job.phase.ended:
        return 0
    return max(0, (job.total_requests or bought or 0) - job.completed_requests)

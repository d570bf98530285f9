"""Splits jobs into owned, foreign and unreadable, and reads remembered jobs that the list does not show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from reconciler.api import odd_rows
from reconciler.api.client import Reader
from reconciler.api.errors import MalformedAnswerError, NotFoundError
from reconciler.api.values import OddRow
from reconciler.context import ApiT, RunContext
from reconciler.ledger.lines import CreateIntended
from reconciler.ledger.memory import Memory, Remembered
from reconciler.model import (
    Job,
    Observed,
    OtherProjectJob,
    OwnedJob,
    Pending,
    Phase,
    RunKey,
    Unreadable,
    completeness,
    tags,
)
from reconciler.workspace.listing import Listed

ODD_HINT: Final = "run again in a moment; if that does not help, ask the API's support about this job"

TAMPERED_HINT: Final = (
    "look at it with `reconciler jobs get {}`; if it never was ours, the line of the ledger is forged: "
    "remove it from the ledger, or run with --local-ledger, with weaker duplicate protection"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Which jobs a run looks for."""

    project: str
    wanted: frozenset[RunKey]
    """The run keys that are declared, under every digest version."""
    adopted: frozenset[str] = frozenset()
    """The ids of jobs that specs adopt."""


def with_remembered(run: RunContext[ApiT], watched: Watched, memory: Memory, listed: Listed) -> Observed:
    """Sort a list by owner, and read the remembered and the adopted jobs that it does not show.

    Of the remembered jobs, those are read whose work is wanted, and those that are so new that the list may not show
    them yet. Raises `ApiError` if the API could not be read.
    """
    remembered = {known.job_id for key in watched.wanted for known in memory.by_run_key.get(key, ())}
    remembered |= memory.recent(listed.began)
    seen = {job.id for job in listed.jobs} | {row.job.id for row in listed.odd}
    missing = sorted((remembered | watched.adopted) - seen)
    got = run.env.map_concurrently(partial(_get, run.api), missing, max_workers=run.limits.reads_in_flight)
    asked = dict(zip(missing, got, strict=True))
    late = [job for job in asked.values() if isinstance(job, Job)]
    odd = (*listed.odd, *(row for row in asked.values() if isinstance(row, OddRow)))
    missing_ids = frozenset(job_id for job_id, job in asked.items() if job is None)
    known = by_memory(memory, (*listed.jobs, *(row.job for row in odd)))
    found = sort_out((*listed.jobs, *late), watched, missing_ids=missing_ids, known=known, odd=odd)
    return replace(found, pages=listed.pages, read_started_at=listed.began)


def by_memory(memory: Memory, listed: Iterable[Job]) -> dict[str, Remembered]:
    """Return what the ledger knows of jobs: by id, or by op if a run was interrupted before it received the id.

    Forged lines can claim a job for other work. Then the tag of the work decides, and without it the name is "": the
    job may be of any name.
    """
    known = dict(memory.jobs)
    by_op: dict[str, list[CreateIntended]] = defaultdict(list)
    for intent in memory.open_creates:
        by_op[intent.op].append(intent)
    for job in listed if by_op else ():
        claims = [_intended(job, intent) for op in by_op.keys() & tags.ops(job) for intent in by_op[op]]
        if claims:
            claims += [known[job.id]] if job.id in known else []
            claims = [it for it in claims if it.run_key.work == job.metadata.get(tags.WORK)] or claims
            agreed = all(it.name == claims[0].name for it in claims)
            known[job.id] = claims[0] if agreed else replace(claims[0], name="")
    return known


def _intended(job: Job, intent: CreateIntended) -> Remembered:
    return Remembered(
        job_id=job.id,
        name=intent.name,
        run_key=RunKey(intent.work, intent.rerun),
        attempt=intent.attempt,
        at=intent.at,
        op=intent.op,
    )


def _get(reader: Reader, job_id: str) -> Job | OddRow | None:
    try:
        return reader.get_job(job_id)
    except NotFoundError:
        return None
    except MalformedAnswerError as error:
        if error.transient:
            raise
        return odd_rows.unreadable_job(job_id, error)


def sort_out(
    jobs: Iterable[Job],
    watched: Watched,
    *,
    missing_ids: frozenset[str] = frozenset(),
    known: Mapping[str, Remembered] = MappingProxyType({}),
    odd: Iterable[OddRow] = (),
) -> Observed:
    """Split jobs into owned, foreign and unreadable. Pure.

    The API no longer has `missing_ids`. `known` are our jobs according to the ledger, by id: if the tags of one say
    otherwise, they were altered, and the job is unreadable, not foreign. `odd` are rows that cannot be read as jobs:
    those that may be ours are unreadable jobs, and the others count as jobs.
    """
    odd = tuple(odd)
    perhaps_ours = {
        row.job.id: it for row in odd if (it := _perhaps_ours(row, watched.project, known)) is not None
    }
    # a spec may adopt a foreign job: its end is unknown
    foreign = (replace(row.job, phase=Phase.UNKNOWN) for row in odd if row.job.id not in perhaps_ours)
    jobs = (*jobs, *foreign)
    owned: list[OwnedJob] = []
    unreadable: list[Unreadable] = list(perhaps_ours.values())
    elsewhere: list[OtherProjectJob] = []
    named: list[Job] = []
    total, mine, others = len(perhaps_ours), 0, 0
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
        pending = _pending(job, read.tags.requests if isinstance(read, OwnedJob) else None)
        mine += pending if project == watched.project else 0
        others += pending if project != watched.project else 0
        if project == watched.project:
            if isinstance(read, OwnedJob):
                owned.append(read)
            else:
                unreadable.append(_completed(read, remembered))
        elif isinstance(read, OwnedJob) and read.tags.run_key in watched.wanted:
            elsewhere.append(
                OtherProjectJob(job=job, project=project, name=read.tags.name, run_key=read.tags.run_key)
            )
    return Observed(
        owned=tuple(owned),
        unreadable=tuple(unreadable),
        other_projects=tuple(elsewhere),
        adopted_candidates=tuple(named),
        missing_ids=missing_ids,
        total=total,
        pending=Pending(own=mine, others=others),
    )


def _perhaps_ours(row: OddRow, project: str, known: Mapping[str, Remembered]) -> Unreadable | None:
    """Return the job of a row that may be ours; None if its tags, or their absence, show that it is not."""
    job, remembered = row.job, known.get(row.job.id)
    if not row.has_lost_tags and tags.project_of(job) == project:
        read = tags.read(job)
        name, run_key = (
            (read.tags.name, read.tags.run_key) if isinstance(read, OwnedJob) else (read.name, read.run_key)
        )
        found = _unreadable(job, name, run_key)
    elif remembered is None and not row.has_lost_tags:
        return None
    else:
        found = replace(_unreadable(job, None, None), of_any_name=remembered is None)
    problem = f"what the API returns for it does not match its description: {row.problem}"
    return replace(_completed(found, remembered), problem=problem, hint=ODD_HINT)


def _unreadable(job: Job, name: str | None, run_key: RunKey | None, problem: str = "") -> Unreadable:
    return Unreadable(job=job, name=name, run_key=run_key, from_newer_version=False, problem=problem)


def _tampered_with(job: Job, remembered: Remembered) -> Unreadable:
    """Return a job of ours, by the ledger, whose tags were altered."""
    problem = f"it is ours by the ledger, and its tag {tags.PROJECT} is missing or altered"
    found = replace(_unreadable(job, None, None, problem), hint=TAMPERED_HINT.format(job.id))
    return _completed(found, remembered)


def _completed(read: Unreadable, remembered: Remembered | None) -> Unreadable:
    """Add what the ledger knows of a job to what its tags still show."""
    if remembered is None:
        return read
    if not remembered.name:
        return replace(read, of_any_name=read.of_any_name or (read.name is None and read.run_key is None))
    return replace(read, name=read.name or remembered.name, run_key=read.run_key or remembered.run_key)


def _pending(job: Job, submitted: int | None) -> int:
    """Return how many requests of a job have no answer yet, as far as its total or its tags show."""
    asked = 0 if job.phase.ended else completeness.submitted_requests(job, submitted) or 0
    return max(0, asked - job.completed_requests)

"""The workspace, read whole or not at all, and sorted by what each job is to us.

Absence is never concluded from a partial list: a list counts as complete when the unique ids are at least the total
on its last page, that page is not full, no other is short and the total did not shrink after the first page was read.
Otherwise it is read again. A job that shows late, among older ones, moves those behind it to later pages; where these
were read already, side by side, one is lost, and a total above what was found says so. Then too the list is read again,
the last time page after page, where that shows a job twice and hides none. Where one record is deleted and another one
made while pages are read, the total stays and a job may slip from one page to the page before it: whoever buys on the
ground of several pages looks twice.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from reconciler import tags
from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError
from reconciler.api.values import JobPage
from reconciler.errors import ListingError
from reconciler.ledger.memory import Memory, Remembered
from reconciler.model import Elsewhere, Job, Observed, Ours, Pending, Phase, RunKey, Unreadable
from reconciler.world import World

PAGE_SIZE: Final = 100
"""The API's default; its maximum is documented nowhere."""
PAGES_AHEAD: Final = 64
"""So many pages are asked for before the last of them is looked at: a wrong total must not ask without end."""
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.5
"""Between two tries, so that whatever shifted the pages can come to rest."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The list, read whole."""

    jobs: tuple[Job, ...]
    """The oldest first."""
    pages: int
    """On so many pages it stood."""
    began: float
    """Unix seconds: when reading it began."""


def list_all(reader: Reader, world: World, *, at_once: int) -> tuple[Job, ...]:
    """Return every job of the workspace, the oldest first.

    Raises:
        ListingError: no complete list could be had.
        ApiError: a page could not be had.
    """
    return whole(reader, world, at_once=at_once).jobs


def whole(reader: Reader, world: World, *, at_once: int) -> Listed:
    """Read every page of the list.

    Raises:
        ListingError: no complete list could be had.
        ApiError: a page could not be had.
    """
    since, began = world.now(), world.monotonic()
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            world.log("jobs.list_incomplete", attempt=attempt, problem=problem)
            world.sleep(PAUSE_SECONDS * attempt)
        side_by_side = at_once if attempt < TRIES - 1 else 1
        pages, size = _pages(reader, world, at_once=side_by_side)
        jobs = {job.id: job for page in pages for job in page.jobs}
        problem = _incomplete(pages, len(jobs), size, in_order=side_by_side == 1)
        if not problem:
            elapsed = round((world.monotonic() - began) * 1000)
            world.log("jobs.listed", jobs=len(jobs), pages=len(pages), elapsed_ms=elapsed)
            return Listed(tuple(sorted(jobs.values(), key=lambda job: job.age_key)), len(pages), since)
    raise ListingError(
        f"the list of jobs is incomplete: {problem} ({TRIES} tries)",
        hint="nothing is decided on half a list; run again in a moment",
    )


NEWEST_PAGES: Final = 10
"""So many pages are looked through for jobs that are waited for; what lies deeper is found by a full look."""


def newest(reader: Reader, ids: Collection[str]) -> dict[str, Job]:
    """Return those of some jobs that the newest pages show, as they stand now. Who is not among them may still exist.

    Jobs that are created meanwhile push others to the next page, where they are seen again: none is missed by that.

    Raises:
        ApiError: a page could not be had.
    """
    found: dict[str, Job] = {}
    for page in range(NEWEST_PAGES):
        jobs = reader.list_jobs(page=page, page_size=PAGE_SIZE, order_by="-created").jobs
        found |= {job.id: job for job in jobs if job.id in ids}
        if len(found) == len(ids) or not jobs:
            break
    return found


def _pages(reader: Reader, world: World, *, at_once: int) -> tuple[list[JobPage], int]:
    """Read every page, and tell their size; pages are read as long as the total, or a full page, asks for more."""
    size = PAGE_SIZE
    pages = [reader.list_jobs(page=0, page_size=size)]
    first = len(_ids(pages))  # a row that stands there twice says nothing of the size
    if 0 < first < size and first != pages[0].total:
        # The server hands out smaller pages than we asked for: go by its size from the start.
        size = first
        pages = [reader.list_jobs(page=0, page_size=size)]
    known = len(_ids(pages))
    while more := _more(pages, size):
        pages += world.spread(lambda page: reader.list_jobs(page=page, page_size=size), more, at_once=at_once)
        before, known = known, len(_ids(pages))
        if known == before:
            break
    return pages, size


def _more(pages: list[JobPage], size: int) -> range:
    """Return the pages to be read next. Behind a full last page there may be another, whatever the total says."""
    count = max(math.ceil(pages[-1].total / size), len(pages) + (len(pages[-1].jobs) >= size))
    return range(len(pages), min(count, len(pages) + PAGES_AHEAD))


def _ids(pages: Iterable[JobPage]) -> set[str]:
    return {job.id for page in pages for job in page.jobs}


def _incomplete(pages: list[JobPage], unique: int, size: int, *, in_order: bool) -> str:
    """Return what is wrong with a list, "" where nothing is.

    Args:
        pages: all of them, in order.
        unique: how many jobs stand there.
        size: how many jobs each page but the last has to hold. A job that stands there twice is one.
        in_order: whether each was read after the one before it.
    """
    total = pages[-1].total
    if unique < total:
        return f"{unique:,} jobs on {len(pages):,} pages, of a total of {total:,}"
    # Later pages are read side by side, so among them the order of totals says nothing: only the first came first.
    if any(page.total < pages[0].total for page in pages):
        return "the total shrank while the pages were read"
    if not in_order and any(page.total > unique for page in pages):
        return "jobs showed up while the pages were read side by side"
    if any(len(_ids([page])) < size for page in pages[:-1]):
        return "a page came short"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What makes a job interesting."""

    project: str
    wanted: frozenset[RunKey]
    """The run keys that are declared, under every digest version."""
    adopted: frozenset[str] = frozenset()
    """The ids of jobs that specs adopt."""


def with_remembered(
    reader: Reader, world: World, watched: Watched, memory: Memory, listed: Listed, *, at_once: int
) -> Observed:
    """Sort a list, and ask for the remembered and the adopted jobs that it does not show yet, or no longer.

    Raises:
        ApiError: the API could not be read.
    """
    shown = {job.id for job in listed.jobs}
    remembered = {known.job_id for key in watched.wanted for known in memory.by_run_key.get(key, ())}
    missing = sorted((remembered | watched.adopted) - shown)
    asked = dict(
        zip(missing, world.spread(lambda job_id: _get(reader, job_id), missing, at_once=at_once), strict=True)
    )
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
    if job.phase not in (Phase.ACTIVE, Phase.STOPPING, Phase.UNKNOWN):
        return 0
    return max(0, (job.total_requests or bought or 0) - job.completed_requests)

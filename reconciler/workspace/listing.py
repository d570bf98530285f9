"""The list of jobs, read whole or not at all.

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
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from reconciler.api.values import JobPage
from reconciler.context import ApiT, Run
from reconciler.errors import ListingError
from reconciler.model import Job
from reconciler.text.plural import count

PAGE_SIZE: Final = 100
"""The API's default; its maximum is documented nowhere."""
PAGES_AHEAD: Final = 128
"""So many pages are asked for before the last of them is looked at: a wrong total must not ask without end."""
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.5
"""Between two tries, so that whatever shifted the pages can come to rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The list, read whole."""

    jobs: tuple[Job, ...]
    """All of them, the oldest first. Of a job that two rows show, the last row counts."""
    pages: int
    """On how many pages it was read."""
    began: float
    """Unix seconds: when reading it began."""


def list_all(run: Run[ApiT]) -> tuple[Job, ...]:
    """Return every job of the workspace, the oldest first.

    Raises:
        ListingError: no complete list could be had.
        ApiError: a page could not be had.
    """
    return whole(run).jobs


def whole(run: Run[ApiT]) -> Listed:
    """Read every page of the list.

    Raises:
        ListingError: no complete list could be had.
        ApiError: a page could not be had.
    """
    world = run.world
    since, began = world.now(), world.monotonic()
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            world.log("jobs.list_incomplete", attempt=attempt, problem=problem)
            world.sleep(PAUSE_SECONDS * attempt)
        side_by_side = run.limits.reads_in_flight if attempt < TRIES - 1 else 1
        pages, size = _pages(run, at_once=side_by_side)
        found = {job.id: job for page in pages for job in page.jobs}
        unique = len(found)
        problem = _incomplete(pages, unique, size, in_order=side_by_side == 1)
        if not problem:
            elapsed = round((world.monotonic() - began) * 1000)
            world.log("jobs.listed", jobs=unique, pages=len(pages), elapsed_ms=elapsed)
            jobs = tuple(sorted(found.values(), key=lambda job: job.age_key))
            return Listed(jobs=jobs, pages=len(pages), began=since)
    raise ListingError(
        f"the list of jobs is incomplete: {problem} ({TRIES} tries)",
        hint="nothing is decided on half a list; run again in a moment",
    )


NEWEST_PAGES: Final = 10
"""So many pages are looked through for jobs that are waited for; what lies deeper is found by a full look."""


def newest(run: Run[ApiT], ids: Collection[str]) -> dict[str, Job]:
    """Return those of some jobs that the newest pages show, as they stand now. Who is not among them may still exist.

    Jobs that are created meanwhile push others to the next page, where they are seen again: none is missed by that.

    Raises:
        ApiError: a page could not be had.
    """
    found: dict[str, Job] = {}
    for page in range(NEWEST_PAGES):
        jobs = run.api.list_jobs(page=page, page_size=PAGE_SIZE, order_by="-created").jobs
        found |= {job.id: job for job in jobs if job.id in ids}
        if len(found) == len(ids) or not jobs:
            break
    return found


def _pages(run: Run[ApiT], *, at_once: int) -> tuple[list[JobPage], int]:
    """Read every page, and tell their size; pages are read as long as the total, or a full page, asks for more."""

    def read(number: int) -> JobPage:
        return run.api.list_jobs(page=number, page_size=size)

    size = PAGE_SIZE
    pages = [read(0)]
    first = len(_ids(pages))  # a row that stands there twice says nothing of the size
    if 0 < first < size and first != pages[0].total:
        # The server hands out smaller pages than we asked for: go by its size from the start.
        size = first
        pages = [read(0)]
    known = len(_ids(pages))
    while more := _more(pages, size):
        pages += run.world.spread(read, more, at_once=at_once)
        before, known = known, len(_ids(pages))
        if known == before:
            break
    return pages, size


def _more(pages: list[JobPage], size: int) -> range:
    """Return the pages to be read next. Behind a full last page there may be another, whatever the total says.

    That one is asked for once the others are read, though it would be quicker beside them: what moved to later pages
    meanwhile stands on it.
    """
    until = max(math.ceil(pages[-1].total / size), len(pages) + (len(pages[-1].jobs) >= size))
    return range(len(pages), min(until, len(pages) + PAGES_AHEAD))


def _ids(pages: Iterable[JobPage]) -> frozenset[str]:
    return frozenset(job.id for page in pages for job in page.jobs)


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
        return f"{count(unique, 'job')} on {count(len(pages), 'page')}, of a total of {total:,}"
    # Later pages are read side by side, so among them the order of totals says nothing: only the first came first.
    if any(page.total < pages[0].total for page in pages):
        return "the total shrank while the pages were read"
    if not in_order and any(page.total > unique for page in pages):
        return "jobs showed up while the pages were read side by side"
    if any(len(_ids([page])) < size for page in pages[:-1]):
        return "a page came short"
    return ""

"""Reads the complete list of jobs, or fails.

The tool never concludes from a partial list that a job does not exist. A list is complete if it has at least as many
unique ids as the largest total of its pages, the last page is not full, no other page is short, and the total did not
shrink after the first page was read. Otherwise the list is read again.

Pages are read concurrently. A job that appears late, among older ones, moves the jobs behind it to later pages. If
those pages were already read, one job is missed, and the total is larger than the number of jobs found. Then the list
is read again too, the last time page after page: so a moved job is seen twice and none is missed.

If one record is deleted and another created while pages are read, the total stays the same, and a job may move to the
page before it unseen. Before creates, a list of several pages is therefore read twice (`runs.gather`).

A row that does not match the API's description counts, and is reported. `observe` decides what it means for a plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from reconciler.api.values import JobPage, OddRow
from reconciler.context import ApiT, RunContext
from reconciler.errors import ListingError
from reconciler.model import Job
from reconciler.text.plural import pluralize

PAGE_SIZE: Final = 100
"""The API's default; its maximum is undocumented."""
PAGES_AHEAD: Final = 128
"""How many pages are requested before the last one is checked: a wrong total must not cause endless requests."""
MAX_PAGES: Final = 10_000
"""A list that claims to be longer is not read: a wrong total must not keep the run busy."""
MAX_TRIES: Final = 3
PAUSE_SECONDS: Final = 0.5
"""Between two tries, so that the list can settle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The complete list."""

    jobs: tuple[Job, ...]
    """All jobs, the oldest first. If two rows show a job, the last row counts."""
    odd: tuple[OddRow, ...] = ()
    """The rows that cannot be read as jobs; a job of such a row is not in `jobs`. Each has an id or a position."""
    pages: int
    """How many pages were read."""
    began: float
    """Unix seconds: when reading began."""


def whole(run: RunContext[ApiT], *, to_show: bool = False) -> Listed:
    """Read every page of the list. One `to_show` may be incomplete because its total cannot be read, and says so.

    Raises `ListingError` if no complete list could be read, and `ApiError` if a page could not be read.
    """
    env = run.env
    since, began = env.now(), env.monotonic()
    problem = ""
    for attempt in range(MAX_TRIES):
        if attempt:
            env.log("jobs.list_incomplete", attempt=attempt, problem=problem)
            env.sleep(PAUSE_SECONDS * attempt)
        side_by_side = run.limits.reads_in_flight if attempt < MAX_TRIES - 1 else 1
        with env.span("list"):
            pages, size = _pages(run, at_once=side_by_side)
        odd = _odd(pages)
        found = {job.id: job for page in pages for job in page.jobs if job.id not in odd}
        unique = len(found) + len(odd)
        problem = _incomplete(pages, unique, size)
        if to_show and any(page.odd_total for page in pages):
            env.log("jobs.list_incomplete", attempt=attempt + 1, problem=problem)
            problem = ""
        if not problem:
            elapsed = round((env.monotonic() - began) * 1000)
            env.log("jobs.listed", jobs=unique, pages=len(pages), elapsed_ms=elapsed)
            _report(run, odd.values())
            jobs = tuple(sorted(found.values(), key=lambda job: job.age_key))
            return Listed(jobs=jobs, odd=tuple(odd.values()), pages=len(pages), began=since)
    raise ListingError(
        f"the list of jobs is incomplete: {problem} ({MAX_TRIES} tries)",
        hint="the tool decides nothing from an incomplete list; run again in a moment",
    )


NEWEST_PAGES: Final = 10
"""How many pages are searched for awaited jobs; a full plan finds those on later pages."""


def newest(run: RunContext[ApiT], ids: Collection[str]) -> dict[str, Job]:
    """Return those of `ids` that are on the newest pages, in their current state. A missing id may still exist.

    A job that is created meanwhile moves others to the next page and they are seen again, so none is missed. Raises
    `ApiError` if a page could not be read.
    """
    found: dict[str, Job] = {}
    for page in range(NEWEST_PAGES):
        jobs = run.api.list_jobs(page=page, page_size=PAGE_SIZE, order_by="-created").jobs
        found |= {job.id: job for job in jobs if job.id in ids}
        if len(found) == len(ids) or not jobs:
            break
    return found


def _pages(run: RunContext[ApiT], *, at_once: int) -> tuple[list[JobPage], int]:
    """Read pages until the total and the last page show that there are no more; return them and the page size."""

    def read(number: int) -> JobPage:
        return run.api.list_jobs(page=number, page_size=size)

    size = PAGE_SIZE
    pages = [read(0)]
    first = len(_ids(pages))  # without repeated rows, which do not count towards the page size
    if 0 < first < size and first != pages[0].total:
        # The server returns smaller pages than requested: start again with its page size.
        size = first
        pages = [read(0)]
    known = set(_ids(pages))
    while more := _more(pages, size):
        found = run.env.map_concurrently(read, more, max_workers=at_once)
        new = _ids(found, first=len(pages) + 1)
        pages += found
        if new <= known:
            break
        known |= new
    return pages, size


def _more(pages: list[JobPage], size: int) -> range:
    """Return the pages to read next. After a full last page there may be another, whatever the total says.

    That page is read after the others, although reading it at the same time would be faster: it has the jobs that moved
    to later pages meanwhile. Raises `ListingError` if the list has more than `MAX_PAGES` pages.
    """
    until = max(-(-pages[-1].total // size), len(pages) + (len(pages[-1].jobs) >= size))
    if until > MAX_PAGES:
        raise ListingError(
            f"the API says that the list has {pages[-1].total:,} jobs, {size:,} on a page; at most {MAX_PAGES:,} pages "
            "are read",
            hint="check that no proxy answers in place of the API",
        )
    return range(len(pages), min(until, len(pages) + PAGES_AHEAD))


def _ids(pages: Sequence[JobPage], *, first: int = 1) -> frozenset[str]:
    return frozenset(job.id for page in pages for job in page.jobs) | _odd(pages, first=first).keys()


def _odd(pages: Sequence[JobPage], *, first: int = 1) -> dict[str, OddRow]:
    """Return the rows that cannot be read, by id or by position; a row without an id gets its position as its id."""
    found = {}
    for number, page in enumerate(pages, start=first):
        for row in page.odd:
            job_id = row.job.id or f"row-{row.number}-of-page-{number}"
            found[job_id] = structs.replace(row, job=structs.replace(row.job, id=job_id))
    return found


def _report(run: RunContext[ApiT], rows: Iterable[OddRow]) -> None:
    """Warn of each row that cannot be read, once in a run."""
    for row in rows:
        if row.job.id not in run.reported:
            run.reported.add(row.job.id)
            run.env.log("jobs.row_unreadable", job_id=row.job.id, problem=row.problem)


def _incomplete(pages: list[JobPage], unique: int, size: int) -> str:
    """Return why a list is incomplete, "" if it is complete.

    Its pages have `unique` jobs; each but the last must have as many as `size`. A repeated job counts once.
    """
    for odd in filter(None, (page.odd_total for page in pages)):
        return f"the API says that its total is {odd}"
    # A page counts the jobs that its rows were cut from: one that appeared and vanished again may have hidden another.
    total = max(page.total for page in pages)
    if unique < total:
        return f"{pluralize(unique, 'job')} on {pluralize(len(pages), 'page')}, of a total of {total:,}"
    # Later pages are read concurrently, so the order of their totals means nothing; only the first page came first.
    if any(page.total < pages[0].total for page in pages):
        return "the total shrank while the pages were read"
    if any(len(_ids([page])) < size for page in pages[:-1]):
        return "a page was too short"
    return ""

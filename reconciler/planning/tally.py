"""How many requests of a work are in each state, over all jobs that were asked some of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct, convert

from reconciler.model import OwnedJob, Phase, completeness
from reconciler.model.requests import OF_ANSWERS, WorkCounts
from reconciler.planning.coverage import Coverage


class Tally(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many requests of a work are in each state (`docs/requests.md`). The numbers add up to `of`."""

    of: int
    answered: int = 0
    live: int = 0
    late: int = 0
    unread: int = 0
    gone: int = 0
    stopped: int = 0
    failed: int = 0
    new: int = 0
    read: bool = False
    """True if results show the state of each request; otherwise the numbers follow from tags and the API's counts."""

    @property
    def unanswered(self) -> int:
        """How many requests have no answer."""
        return self.of - self.answered


STATES = Tally.__struct_fields__[1:-1]
"""The names of the states, in the order in which they are shown."""


def added(several: Iterable[Tally]) -> Tally:
    """Return the sums of several works."""
    found = tuple(several)
    return convert({name: sum(getattr(it, name) for it in found) for name in ("of", *STATES)}, Tally)


def by_results(coverage: Coverage) -> Tally:
    """Return the numbers that results show."""
    counts = {state.name.lower(): number for state, number in coverage.count().items()}
    return Tally(of=len(coverage.states), read=True, **counts)


def by_ledger(seen: WorkCounts) -> Tally:
    """Return the numbers that a run found that joined all results."""
    left = max(0, seen.of - seen.answered)
    failed = min(left, sum(number for kind, number in seen.kinds.items() if kind not in OF_ANSWERS))
    stopped = min(left - failed, seen.stopped)
    new = left - failed - stopped
    return Tally(of=seen.of, answered=seen.of - left, stopped=stopped, failed=failed, new=new, read=True)


def by_counts(of: int, jobs: Iterable[OwnedJob], stopped_by_us: Callable[[OwnedJob], bool]) -> Tally:
    """Return the numbers that follow from the tags and counts of the jobs of a work.

    What a job was not asked is taken for a failure as long as earlier jobs have failures: their retries go first. `of`
    is how many requests the work has; its jobs are the oldest first, without duplicates; `stopped_by_us` says whether
    this tool cancelled a job.
    """
    found = Tally(of=of, new=of)
    for it in jobs:
        job, ended, cancelled = it.job, it.job.phase.ended, it.job.phase is Phase.CANCELLED
        reused = min(of, it.tags.reused)
        asked = min(of - reused, it.requests or of) if it.is_part else of - reused
        rest = of - reused - asked
        failed = min(rest, found.failed + found.stopped)
        counted = completeness.fetchable_answers(job) if ended else job.succeeded_requests
        answers = it.received.ok if it.received else counted
        left = asked - min(asked, answers)
        lost = left if ended and not cancelled else min(left, job.failed_requests)
        open_ = left - lost
        stopped = open_ if cancelled and not stopped_by_us(it) else 0
        found = Tally(
            of=of,
            answered=reused + asked - left,
            live=0 if ended else open_,
            stopped=stopped,
            failed=failed + lost,
            new=rest - failed + (open_ - stopped if ended else 0),
        )
        if it.completes_the_work:
            break
    return found

"""What the jobs of a project cost, as budgets count it. Pure.

A job counts with the cost of what its results say that it used, once the ledger has that. Until then it counts with the
most that it can cost: its reservation, which is in its tags and in the ledger. A create whose outcome is not known has
a reservation too, until its settle time has passed: then the list shows the job, or it was never created.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from reconciler.ledger.lines import UsageSeen
from reconciler.ledger.memory import Memory
from reconciler.model import Observed
from reconciler.text.plural import DAY

SHORT: Final = 8
"""Characters of a job's id, for readers."""
CostOf: TypeAlias = Callable[[UsageSeen, int], int | None]
"""Returns what usage costs in micros, by the prices of a time in Unix seconds; None if only a lower bound is known."""


class Expense(Struct, frozen=True, kw_only=True):
    """What one job counts as."""

    name: str
    job_id: str = ""
    """"" for a create whose outcome is not known."""
    at: float
    """When it was created, Unix seconds."""
    micros: int | None
    """None if neither its usage nor its reservation is known."""
    reserved: bool = True
    """Whether it is a reservation, not a cost."""
    ended: bool = False

    @property
    def job(self) -> str:
        """The job, for readers."""
        return f"{self.name} {self.job_id[:SHORT]}" if self.job_id else f"a create of {self.name}"

    @property
    def until(self) -> str:
        """How long it is a reservation, for readers."""
        return "its results are pulled" if self.job_id else "its outcome is known"


class Spending(Struct, frozen=True, kw_only=True):
    """What counts for a day and for a month."""

    day: tuple[Expense, ...] = ()
    """The last 24 hours."""
    month: tuple[Expense, ...] = ()
    """The calendar month in UTC."""


def spending(
    observed: Observed, memory: Memory, *, cost_of: CostOf, currency: str, now: float, month_began: float
) -> Spending:
    """Return what counts now.

    Clocks differ by less than the settle time, so both periods begin earlier by it.

    Args:
        observed: the workspace.
        memory: what the ledger remembers.
        cost_of: the prices.
        currency: theirs. A reservation in another one is not known.
        now: wall clock, Unix seconds.
        month_began: the beginning of the month of the settle time before `now`, Unix seconds.
    """
    expenses = sorted(_expenses(observed, memory, cost_of, currency, now), key=lambda it: (it.at, it.job_id))
    day_began = now - memory.settle_seconds - DAY
    return Spending(
        day=tuple(it for it in expenses if it.at > day_began),
        month=tuple(it for it in expenses if it.at >= month_began),
    )


def _expenses(
    observed: Observed, memory: Memory, cost_of: CostOf, currency: str, now: float
) -> Iterator[Expense]:
    """Yield one expense for each job of the project, listed or remembered, and for each create in doubt."""
    jobs, seen = memory.jobs, memory.usage

    def expense(job_id: str, name: str, at: int, most: int | None, of: str, *, ended: bool) -> Expense:
        usage = seen.get(job_id)
        cost = None if usage is None else cost_of(usage, at)
        reservation = most if of == currency else None
        micros = reservation if cost is None else cost
        return Expense(name=name, job_id=job_id, at=at, micros=micros, reserved=cost is None, ended=ended)

    listed = {job.id for job in observed.our_jobs}
    for owned in observed.owned:
        job, tags = owned.job, owned.tags
        if not owned.adopted:
            ended = owned.phase.ended
            yield expense(job.id, tags.name, job.created_at, tags.most, tags.currency, ended=ended)
    for bad in observed.unreadable:
        known = jobs.get(bad.job.id)
        at = known.created_at if known else bad.job.created_at or int(now)  # 0: that cannot be read either
        most, of = (known.most, known.currency) if known else (None, "")
        yield expense(bad.job.id, bad.name or "?", at, most, of, ended=bad.job.phase.ended)
    for job_id, known in jobs.items():
        if job_id not in listed and (known.op or known.most is not None):
            yield expense(job_id, known.name, known.created_at, known.most, known.currency, ended=True)
    settled = {it.tags.op for it in observed.owned}.union(it.op for it in jobs.values())
    for intent in memory.open_creates:
        if intent.op not in settled and observed.read_started_at < memory.settles_at(intent):
            most = intent.most if intent.currency == currency else None
            yield Expense(name=intent.name, at=now, micros=most)

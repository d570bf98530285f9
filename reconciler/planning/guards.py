"""Guards: checks that refuse a dangerous plan and show its numbers. Each has its own setting and its own override.

Pure, like the planner. A guard refuses only a plan that would write. The plan is shown before a guard refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed, Phase
from reconciler.planning.actions import Cancel, Create, Plan
from reconciler.settings import Guards
from reconciler.text.plural import DAY, pluralize


class Refusal(Struct, frozen=True):
    """A guard that refuses the plan."""

    guard: str
    message: str
    hint: str
    """The override, and the setting if there is one."""


class GuardReading(Struct, frozen=True):
    """The number that a guard counts in the plan, and the largest that it allows."""

    guard: str
    value: float
    limit: float


class GuardInput(Struct, frozen=True, kw_only=True):
    """A plan with everything that the guards compare it with."""

    plan: Plan
    declared: Declared
    observed: Observed
    memory: Memory
    settings: Guards
    now: float = 0.0
    """Wall clock, Unix seconds."""

    @property
    def cancels(self) -> tuple[Cancel, ...]:
        """The cancels that may lose answers: those of duplicates do not."""
        return tuple(cancel for cancel in self.plan.of(Cancel) if cancel.duplicate_of is None)

    @property
    def active(self) -> int:
        """The number of live jobs that this folder's project has submitted: others are no part of a share of them."""
        roots = self.declared.roots
        return sum(it.phase is Phase.ACTIVE and it.tags.source.root in roots for it in self.observed.owned)

    @property
    def lost_answers(self) -> int:
        """The number of requests that the jobs to be cancelled have answered."""
        return sum(cancel.owned.job.answers for cancel in self.cancels)

    @property
    def requests(self) -> int:
        """The number of requests that the plan submits, as far as it is known."""
        return sum(create.spec.requests or 0 for create in self.plan.of(Create))

    @property
    def submitted_today(self) -> int:
        """Requests of our jobs that are younger than a day."""
        since = self.now - DAY
        recent = [owned for owned in self.observed.owned if owned.job.created_at > since]
        return sum(owned.requests or 0 for owned in recent)


MIN_CANCELS_FOR_SHARE: Final = 3
"""Fewer cancels than this are never refused for their share."""


def _above(guard: str, number: int, limit: int | None, message: str) -> Refusal | None:
    """Return the refusal of a number above a limit."""
    if limit is None or number <= limit:
        return None
    hint = f"pass --{guard.replace('_', '-')} {number}, or set guards.{guard}"
    return Refusal(guard, f"{message}, more than {limit:,}", hint)


def empty(it: GuardInput) -> Refusal | None:
    """Refuse to cancel everything because nothing is declared."""
    if it.settings.allow_empty or it.declared.specs or not it.cancels:
        return None
    return Refusal(
        "empty",
        f"nothing is declared while {it.active:,} of our jobs are active",
        "if everything is to be cancelled, pass --allow-empty, or set guards.allow_empty",
    )


def cancels(it: GuardInput) -> Refusal | None:
    """Refuse more cancels than a limit."""
    number = len(it.cancels)
    message = f"the plan cancels {pluralize(number, 'job')}"
    return _above("max_cancels", number, it.settings.max_cancels, message)


def cancel_share(it: GuardInput) -> Refusal | None:
    """Refuse to cancel a large share of the active jobs."""
    number, limit = len(it.cancels), it.settings.max_cancel_share
    if number < MIN_CANCELS_FOR_SHARE or number <= it.active * limit:
        return None
    return Refusal(
        "max_cancel_share",
        f"the plan cancels {number:,} of {it.active:,} active jobs, more than {limit:.0%}",
        "pass --max-cancel-share 1, or set guards.max_cancel_share",
    )


def new_requests(it: GuardInput) -> Refusal | None:
    """Refuse to submit more requests than a budget; a job of unknown size exceeds it."""
    limit, guard = it.settings.max_new_requests, "max_new_requests"
    unknown = sum(create.spec.requests is None for create in it.plan.of(Create))
    message = f"the plan submits {pluralize(it.requests, 'request')}"
    if limit is None or not unknown:
        return _above(guard, it.requests, limit, message)
    message += f" and {pluralize(unknown, 'job')} of unknown size, more than {limit:,}"
    return Refusal(guard, message, "pass --max-new-requests none, or set guards.max_new_requests to null")


def requests_per_day(it: GuardInput) -> Refusal | None:
    """Refuse to submit more within 24 hours than a limit, whichever runner submitted it: the list shows all."""
    if not it.requests:
        return None
    new = pluralize(it.requests, "request")
    message = f"the plan submits {new} after {it.submitted_today:,} in the last 24 hours"
    number = it.submitted_today + it.requests
    return _above("max_requests_per_day", number, it.settings.max_requests_per_day, message)


def lost_answers(it: GuardInput) -> Refusal | None:
    """Refuse to lose more answers of running jobs than a limit."""
    message = f"the plan cancels jobs that have answered {pluralize(it.lost_answers, 'request')}"
    return _above("max_lost_answers", it.lost_answers, it.settings.max_lost_answers, message)


def other_workspace(it: GuardInput) -> Refusal | None:
    """Refuse a workspace that shows none of the remembered jobs, unless they are new and the list may lag."""
    memory, observed = it.memory, it.observed
    known, recent = memory.jobs.keys(), memory.recent(observed.read_started_at)
    # With a snapshot, no job was read by its id.
    late = recent - observed.missing_ids if observed.snapshot_taken_at is None else recent
    seen = {job.id for job in observed.our_jobs}
    if it.settings.allow_other_workspace or known <= late or known & seen:
        return None
    shows = "does not show the one job" if len(known) == 1 else f"shows none of the {len(known):,} jobs"
    wait = f"new jobs may show late: run again in {memory.settle_seconds:g} s; " if known <= recent else ""
    return Refusal(
        "other_workspace",
        f"this workspace {shows} that the ledger remembers",
        f"check that the key is of the right workspace; {wait}if the jobs were deleted, "
        "pass --allow-other-workspace, or set guards.allow_other_workspace",
    )


def created_elsewhere(it: GuardInput) -> Refusal | None:
    """Refuse work that is live or done under another project: a renamed project would submit everything again."""
    wanted = {key: create.spec for create in it.plan.of(Create) for key in create.spec.run_keys}
    found = [
        other
        for other in it.observed.other_projects
        if other.run_key in wanted and other.job.phase in (Phase.ACTIVE, Phase.SUCCEEDED, Phase.UNKNOWN)
    ]
    if it.settings.allow_created_elsewhere or not found:
        return None
    names = sorted({wanted[other.run_key].name for other in found})
    projects = sorted({other.project for other in found})
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return Refusal(
        "created_elsewhere",
        f"the work of {names[0]}{more} was already submitted under project {', '.join(projects)}",
        "if the project was renamed, undo that in reconciler.yaml; "
        "to submit it here too, pass --allow-created-elsewhere, or set guards.allow_created_elsewhere",
    )


GUARDS: Final[tuple[Callable[[GuardInput], Refusal | None], ...]] = (
    empty,
    cancels,
    cancel_share,
    new_requests,
    requests_per_day,
    lost_answers,
    other_workspace,
    created_elsewhere,
)


def refusals(it: GuardInput) -> tuple[Refusal, ...]:
    """Return every guard's refusal; none if the plan would write nothing."""
    if not it.plan.pending:
        return ()
    return tuple(refusal for guard in GUARDS if (refusal := guard(it)))


def guard_readings(it: GuardInput) -> tuple[GuardReading, ...]:
    """Return the readings of the guards that have a limit; none if the plan would write nothing."""
    if not it.plan.pending:
        return ()
    number, given = len(it.cancels), it.settings
    max_share = given.max_cancel_share if number >= MIN_CANCELS_FOR_SHARE else None
    found = (
        ("max_cancels", number, given.max_cancels),
        ("max_cancel_share", number / max(1, it.active), max_share),
        ("max_lost_answers", it.lost_answers, given.max_lost_answers),
        ("max_new_requests", it.requests, given.max_new_requests),
        ("max_requests_per_day", it.submitted_today + it.requests, given.max_requests_per_day),
    )
    return tuple(
        GuardReading(guard, float(value), float(limit)) for guard, value, limit in found if limit is not None
    )

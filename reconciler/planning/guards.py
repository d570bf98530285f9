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


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a plan is not applied."""

    guard: str
    message: str
    hint: str
    """The override, and the setting if there is one."""


class GuardReading(Struct, frozen=True, kw_only=True):
    """The number that a guard counts in a plan, and the largest that it allows."""

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
        """The number of our live jobs."""
        return sum(owned.phase is Phase.ACTIVE for owned in self.observed.owned)

    @property
    def lost_answers(self) -> int:
        """The number of requests that the jobs to be cancelled have answered."""
        return sum(cancel.owned.job.completed_requests for cancel in self.cancels)

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


def empty(guard_input: GuardInput) -> Refusal | None:
    """Refuse to cancel everything because nothing is declared."""
    if guard_input.settings.allow_empty or guard_input.declared.specs or not guard_input.cancels:
        return None
    return Refusal(
        guard="empty",
        message=f"nothing is declared while {guard_input.active:,} of our jobs are active",
        hint="if everything is to be cancelled, pass --allow-empty, or set guards.allow_empty",
    )


def cancels(guard_input: GuardInput) -> Refusal | None:
    """Refuse more cancels than a limit."""
    number, limit = len(guard_input.cancels), guard_input.settings.max_cancels
    if number <= limit:
        return None
    return Refusal(
        guard="max_cancels",
        message=f"the plan cancels {pluralize(number, 'job')}, more than {limit:,}",
        hint=f"pass --max-cancels {number}, or set guards.max_cancels",
    )


def cancel_share(guard_input: GuardInput) -> Refusal | None:
    """Refuse to cancel a large share of the active jobs."""
    number, active, limit = (
        len(guard_input.cancels),
        guard_input.active,
        guard_input.settings.max_cancel_share,
    )
    if number < MIN_CANCELS_FOR_SHARE or number <= active * limit:
        return None
    return Refusal(
        guard="max_cancel_share",
        message=f"the plan cancels {number:,} of {active:,} active jobs, more than {limit:.0%}",
        hint="pass --max-cancel-share 1, or set guards.max_cancel_share",
    )


def new_requests(guard_input: GuardInput) -> Refusal | None:
    """Refuse to submit more requests than a budget; a job of unknown size exceeds it."""
    limit = guard_input.settings.max_new_requests
    if limit is None:
        return None
    sizes = [create.spec.requests for create in guard_input.plan.of(Create)]
    known, unknown = sum(size for size in sizes if size is not None), sizes.count(None)
    if known <= limit and not unknown:
        return None
    also = f" and {pluralize(unknown, 'job')} of unknown size" if unknown else ""
    return Refusal(
        guard="max_new_requests",
        message=f"the plan submits {pluralize(known, 'request')}{also}, more than {limit:,}",
        hint=f"pass --max-new-requests {known}, or set guards.max_new_requests"
        if not unknown
        else "pass --max-new-requests none, or set guards.max_new_requests to null",
    )


def requests_per_day(guard_input: GuardInput) -> Refusal | None:
    """Refuse to submit more within 24 hours than a limit, whichever runner submitted it: the list shows all."""
    limit = guard_input.settings.max_requests_per_day
    new = guard_input.requests
    if limit is None or not new:
        return None
    earlier = guard_input.submitted_today
    if earlier + new <= limit:
        return None
    return Refusal(
        guard="max_requests_per_day",
        message=f"the plan submits {pluralize(new, 'request')} after {earlier:,} in the last 24 hours, "
        f"more than {limit:,}",
        hint=f"pass --max-requests-per-day {earlier + new}, or set guards.max_requests_per_day",
    )


def lost_answers(guard_input: GuardInput) -> Refusal | None:
    """Refuse to lose more answers of running jobs than a limit."""
    lost, limit = guard_input.lost_answers, guard_input.settings.max_lost_answers
    if lost <= limit:
        return None
    return Refusal(
        guard="max_lost_answers",
        message=f"the plan cancels jobs that have answered {pluralize(lost, 'request')}, more than {limit:,}",
        hint=f"pass --max-lost-answers {lost}, or set guards.max_lost_answers",
    )


def other_workspace(guard_input: GuardInput) -> Refusal | None:
    """Refuse a workspace that shows none of the remembered jobs, unless they are new and the list may lag."""
    memory, observed = guard_input.memory, guard_input.observed
    known, recent = memory.jobs.keys(), memory.recent(observed.read_started_at)
    late = (
        recent - observed.missing_ids if observed.snapshot_taken_at is None else recent
    )  # with a snapshot, no job was read by its id
    seen = {owned.job.id for owned in observed.owned} | {it.job.id for it in observed.unreadable}
    if guard_input.settings.allow_other_workspace or known <= late or known & seen:
        return None
    shows = "does not show the one job" if len(known) == 1 else f"shows none of the {len(known):,} jobs"
    wait = f"new jobs may show late: run again in {memory.settle_seconds:g} s; " if known <= recent else ""
    return Refusal(
        guard="other_workspace",
        message=f"this workspace {shows} that the ledger remembers",
        hint=f"check that the key is of the right workspace; {wait}if the jobs were deleted, "
        "pass --allow-other-workspace, or set guards.allow_other_workspace",
    )


def created_elsewhere(guard_input: GuardInput) -> Refusal | None:
    """Refuse work that is live or done under another project: a renamed project would submit everything again."""
    if guard_input.settings.allow_created_elsewhere:
        return None
    wanted = {key: create.spec for create in guard_input.plan.of(Create) for key in create.spec.run_keys}
    found = [
        other
        for other in guard_input.observed.other_projects
        if other.run_key in wanted and other.job.phase in (Phase.ACTIVE, Phase.SUCCEEDED, Phase.UNKNOWN)
    ]
    if not found:
        return None
    names = sorted({wanted[other.run_key].name for other in found})
    projects = sorted({other.project for other in found})
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return Refusal(
        guard="created_elsewhere",
        message=f"the work of {names[0]}{more} was already submitted under project {', '.join(projects)}",
        hint="if the project was renamed, undo that in reconciler.yaml; "
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


def refusals(guard_input: GuardInput) -> tuple[Refusal, ...]:
    """Return every guard's refusal; none if the plan would write nothing."""
    if not guard_input.plan.pending:
        return ()
    return tuple(refusal for guard in GUARDS if (refusal := guard(guard_input)))


def guard_readings(guard_input: GuardInput) -> tuple[GuardReading, ...]:
    """Return the readings of the guards that have a limit; none if the plan would write nothing."""
    if not guard_input.plan.pending:
        return ()
    number, active, given = len(guard_input.cancels), guard_input.active, guard_input.settings
    found = [GuardReading(guard="max_cancels", value=number, limit=given.max_cancels)]
    if number >= MIN_CANCELS_FOR_SHARE:
        found.append(
            GuardReading(
                guard="max_cancel_share", value=number / max(1, active), limit=given.max_cancel_share
            )
        )
    found.append(
        GuardReading(guard="max_lost_answers", value=guard_input.lost_answers, limit=given.max_lost_answers)
    )
    if given.max_new_requests is not None:
        found.append(
            GuardReading(guard="max_new_requests", value=guard_input.requests, limit=given.max_new_requests)
        )
    if given.max_requests_per_day is not None:
        value = guard_input.submitted_today + guard_input.requests
        found.append(
            GuardReading(guard="max_requests_per_day", value=value, limit=given.max_requests_per_day)
        )
    return tuple(found)

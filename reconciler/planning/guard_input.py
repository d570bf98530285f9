"""What guards compare a plan with, and what they return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.ledger.memory import Memory
from reconciler.model import Checkout, Declared, Observed, OwnedJob, Phase, RunKey
from reconciler.model.money import DOLLAR
from reconciler.planning.actions import Cancel, Create, Plan
from reconciler.planning.spending import Spending
from reconciler.settings import ApplyFrom, Guards
from reconciler.text.plural import DAY


class Refusal(Struct, frozen=True):
    """A guard that holds actions back."""

    guard: str
    message: str
    hint: str
    """The override, and the setting if there is one."""
    held: tuple[str, ...] = ()
    """The names whose actions it holds back."""


class Approved(Struct, frozen=True, kw_only=True):
    """The numbers that an approved plan shows. Guards count with them, so that a review may take its time."""

    answers: Mapping[str, int] = {}
    """The answers of each job that it cancels."""
    active: int = 0
    """The number of live jobs."""


NOT_APPROVED: Final = Approved()


class GuardInput(Struct, frozen=True, kw_only=True):
    """A plan with everything that the guards compare it with."""

    plan: Plan
    declared: Declared
    observed: Observed
    memory: Memory
    settings: Guards
    now: float = 0.0
    """Wall clock, Unix seconds."""
    approved: Approved = NOT_APPROVED
    apply_from: ApplyFrom = ApplyFrom()
    checkout: Checkout = Checkout()
    spending: Spending = Spending()
    """What counts for the budgets of costs, if any of a period is set."""
    currency: str = DOLLAR
    """That of the prices."""

    @property
    def cancels(self) -> tuple[Cancel, ...]:
        """The cancels that may lose answers: those of duplicates do not."""
        return tuple(cancel for cancel in self.plan.of(Cancel) if cancel.duplicate_of is None)

    @property
    def active(self) -> int:
        """The number of live jobs that this folder's project has submitted: others are no part of a share of them."""
        roots = self.declared.roots
        live = sum(it.phase is Phase.ACTIVE and it.tags.source.root in roots for it in self.observed.owned)
        return max(live, self.approved.active)

    @property
    def lost_answers(self) -> int:
        """The number of answers of the jobs to be cancelled that nothing uses afterwards."""
        return sum(map(self.lost_by, self.cancels))

    def lost_by(self, cancel: Cancel) -> int:
        """Return the number of answers that a cancel discards, as the approved plan shows it."""
        return self.approved.answers.get(cancel.owned.job.id, cancel.lost)

    def cancelling(self, *, losing: bool = False) -> tuple[str, ...]:
        """Return the names under which jobs are cancelled; with `losing`, only those that lose answers."""
        return tuple(
            it.name
            for it in self.plan.decisions
            if any(
                cancel.duplicate_of is None and (self.lost_by(cancel) or not losing)
                for cancel in it.of(Cancel)
            )
        )

    @property
    def creating(self) -> tuple[str, ...]:
        """The names under which jobs are created."""
        return tuple(create.spec.name for create in self.plan.of(Create))

    @property
    def requests(self) -> int:
        """The number of requests that budgets count, as far as it is known."""
        return sum(filter(None, counted(self.plan, self.observed).values()))

    @property
    def submitted_today(self) -> int:
        """Requests of our jobs that are younger than a day, and of the parts that follow them."""
        since = self.now - DAY
        recent = [owned for owned in self.observed.owned if owned.job.created_at > since]
        return sum(owned.requests or 0 for owned in recent) + sum(_not_asked(recent).values())


def counted(plan: Plan, observed: Observed) -> dict[str, int | None]:
    """Return how many requests of each create budgets count, by name; None if that is not known.

    These are all that may follow, because a plan with a canary is an agreement to its rest. So that rest was counted
    with the job before, and is not counted again.
    """
    creates = plan.of(Create)
    keys = {key for create in creates for key in create.spec.run_keys}
    before = _not_asked(it for it in observed.owned if it.tags.run_key in keys)

    def count(create: Create) -> int | None:
        known = max((before.get(key, 0) for key in create.spec.run_keys), default=0)
        return None if create.in_all is None else create.in_all - min(create.never_asked or 0, known)

    return {create.spec.name: count(create) for create in creates}


def _not_asked(owned: Iterable[OwnedJob]) -> dict[RunKey, int]:
    """Return how many requests the newest job of each work left for a later part."""
    return {it.tags.run_key: it.not_asked for it in sorted(owned, key=lambda it: it.job.age_key)}


def above(
    guard: str, number: int, limit: int | None, message: str, held: tuple[str, ...] = ()
) -> Refusal | None:
    """Return the refusal of a number above a limit."""
    if limit is None or number <= limit:
        return None
    hint = f"pass --{guard.replace('_', '-')} {number}, or raise guards.{guard}"
    return Refusal(guard, f"{message}, more than {limit:,}", hint, held)

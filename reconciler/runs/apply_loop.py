"""The later rounds of one run: whenever something has changed, look, and buy what the agreement allows.

Each round goes the same way as an apply: the whole list, a fresh plan, the guards, a claim, a durable intent. The lock
is held for a round and not while nothing happens, so that an hourly apply on the same host goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from msgspec import structs

from reconciler.api.client import Writer
from reconciler.context import Run
from reconciler.execution import record_observations
from reconciler.ledger.lock import HeldError
from reconciler.model import Declared
from reconciler.planning.actions import Create, Plan
from reconciler.planning.guards import Refusal
from reconciler.plans.approval import Agreement
from reconciler.plans.outcomes import Outcome
from reconciler.plans.planned_run import Situation
from reconciler.runs import gather, reconcile
from reconciler.settings import Guards


@dataclass(kw_only=True)
class Rounds:
    """What the rounds of one run share, and what came of them."""

    run: Run[Writer]
    declared: Declared
    """As it was read in the first place: what is edited meanwhile is for the next apply."""
    agreement: Agreement
    bought: int
    """Requests that this run has bought: a budget is for all of its rounds."""
    locked: Callable[[], AbstractContextManager[None]]
    tell: Callable[[Situation, tuple[Outcome, ...]], object]
    """Is told what a round has done."""
    outcomes: tuple[Outcome, ...] = ()
    refusals: list[Refusal] = field(default_factory=list)
    """What the guards refused."""

    def look(self) -> Situation:
        """Read everything, do what may be done now, and return how it stands.

        Raises:
            ListingError: the list of jobs could not be read whole.
            LedgerError: the ledger can be neither read nor written.
            ApiError: the API could not be read.
        """
        try:
            with self.locked():
                situation = self._gather()
                record_observations.record_seen(self.run, situation)
                if not self.agreement.cut(situation.plan).pending:
                    reconcile.publish(self.run)
                    return situation
                self._act()
        except HeldError:  # somebody else applies: the next look tells what is left
            return self._gather()
        return self._gather()

    def _gather(self) -> Situation:
        return gather.gather(self.run, self.declared)

    def _act(self) -> None:
        run = replace(self.run, guards=self._guards())
        situation, outcomes = reconcile.apply(
            run, self.declared, lambda it: not it.refusals, within=self.agreement
        )
        self.agreement = self.agreement.after(situation.plan)  # what was refused is not asked for again
        self.refusals += situation.refusals
        if outcomes:
            self.bought += requests_of(situation.plan)
            self.outcomes += outcomes
            self.tell(situation, outcomes)

    def _guards(self) -> Guards:
        guards = self.run.guards
        if guards.max_new_requests is None:
            return guards
        return structs.replace(guards, max_new_requests=max(0, guards.max_new_requests - self.bought))


def requests_of(plan: Plan) -> int:
    """Return how many requests a plan buys, as far as they are known."""
    return sum(create.spec.requests or 0 for create in plan.of(Create))

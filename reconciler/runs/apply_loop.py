"""The later rounds of one run: when something has changed, plan again and create what the approval allows.

Each round takes the same steps as an apply: the whole list, a fresh plan, the guards, durable intents. The
lock is held only during a round, so that an hourly apply on the same host is not blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace

from msgspec import structs

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.execution.records import record_observations
from reconciler.ledger.file import LockHeldError
from reconciler.model import Declared, Observed
from reconciler.planning.actions import Plan
from reconciler.planning.guard_input import Refusal, counted
from reconciler.plans.approval import Approval
from reconciler.plans.outcomes import CREATE, Created, Failed, Outcome, Unknown
from reconciler.plans.planned_run import PlannedRun, Proposal
from reconciler.runs import gather, guarded
from reconciler.runs.apply import plan_and_apply, publish
from reconciler.settings import Guards


@dataclass(kw_only=True)
class ApplyLoop:
    """The rounds of one run, and their outcomes."""

    run: RunContext[Writer]
    declared: Declared
    """The specs as they were read at the start; the next apply reads later edits."""
    approval: Approval
    submitted: int
    """Requests that this run has submitted: a budget is for all of its rounds."""
    locked: Callable[[], AbstractContextManager[None]]
    report: Callable[[PlannedRun, tuple[Outcome, ...]], object]
    """Called with the plan and the outcomes of each round."""
    outcomes: tuple[Outcome, ...] = ()
    refusals: list[Refusal] = field(default_factory=list)
    """The refusals of all rounds."""

    def run_round(self) -> PlannedRun:
        """Read everything, do what the approval allows, and return the new plan. Raises what `gather` raises.

        Until nothing is left to do: a job of a few requests may have ended when the next plan is made.
        """
        with suppress(LockHeldError), self.locked():  # if another apply runs, the next round sees its result
            while not self.run.env.stop.is_set():
                fresh = gather.propose(self.run, self.declared)
                record_observations(self.run, fresh)
                if not guarded.narrow(self.run, fresh, self._approved).plan.pending or not self._act():
                    publish(self.run)
                    return guarded.check(self.run, guarded.narrow(self.run, fresh, lambda it: it))
        return gather.gather(self.run, self.declared, unattended=True)

    def _approved(self, it: Proposal) -> Proposal:
        return replace(it, plan=self.approval.restrict(it.plan))

    def _act(self) -> bool:
        """Return whether anything was done: what needs an agreement is held, and would be planned again at once."""
        run = replace(self.run, guards=self._guards(), models=[])  # hours later, an alias may have moved
        planned, outcomes = plan_and_apply(run, self.declared, lambda _: True, approval=self.approval)
        self.approval = self.approval.record_attempts(planned.proposed)  # one held back is not tried again
        self.refusals += planned.refusals
        if outcomes:
            self.submitted += requests_submitted(planned.plan, planned.observed, outcomes)
            self.outcomes += outcomes
            self.report(planned, outcomes)
        return bool(outcomes)

    def _guards(self) -> Guards:
        guards = self.run.guards
        if guards.max_new_requests is None:
            return guards
        return structs.replace(guards, max_new_requests=max(0, guards.max_new_requests - self.submitted))


def requests_submitted(plan: Plan, observed: Observed, outcomes: Iterable[Outcome]) -> int:
    """Return how many requests of a plan's creates budgets count, of those that were sent or may have been."""
    sent = {
        it.name
        for it in outcomes
        if isinstance(it, Created)
        or (isinstance(it, Unknown) and it.action == CREATE)
        or (isinstance(it, Failed) and it.job is not None)
    }
    return sum(number or 0 for name, number in counted(plan, observed).items() if name in sent)

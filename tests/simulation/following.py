"""The rounds of `apply --wait` after the first one: the real code, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.planning.actions import Plan
from reconciler.plans.approval import approval_of
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs.apply_loop import ApplyLoop, requests_submitted
from reconciler.runs.wait import PollPolicy, wait_until_ended
from tests.simulation.history import RunRecord


@dataclass(frozen=True)
class Waiting:
    """How a run waits."""

    release: Callable[[], object]
    """Gives back the lock of the first round."""
    locked: Callable[[], AbstractContextManager[None]]
    """Takes it for a later one."""
    policy: PollPolicy


def follow(
    waiting: Waiting,
    run: RunContext[Writer],
    *,
    agreed: Plan,
    first: tuple[PlannedRun, tuple[Outcome, ...]],
    saved: PlanDoc | None,
    record: RunRecord,
) -> PlannedRun:
    """Wait until nothing that is wanted goes on, and return how things stand.

    Args:
        waiting: how.
        run: what to work with.
        agreed: what was shown and agreed to.
        first: the first round's plan and outcomes.
        saved: the plan file, if one was applied.
        record: of the run.
    """
    waiting.release()
    planned, outcomes = first
    rounds = ApplyLoop(
        run=run,
        declared=record.declared,
        approval=approval_of(agreed, saved, done=planned.plan).record_attempts(planned.proposed),
        submitted=requests_submitted(planned.plan, planned.observed, outcomes),
        locked=waiting.locked,
        report=lambda _, done: record.say(done),
        outcomes=outcomes,
    )

    def look() -> PlannedRun:
        record.round += 1
        return rounds.run_round()

    state = wait_until_ended(run, look, waiting.policy, lambda _: None, lambda: rounds.approval.names_held)
    return state.planned

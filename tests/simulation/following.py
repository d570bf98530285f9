"""What comes after the first round of `apply --wait`: the real rounds, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from reconciler.api.client import Writer
from reconciler.context import Run
from reconciler.planning.actions import Plan
from reconciler.plans.approval import agreed_to
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.plans.planned_run import Situation
from reconciler.runs.apply_loop import Rounds, requests_of
from reconciler.runs.wait import Patience, until_ended
from tests.simulation.history import RunRecord


@dataclass(frozen=True)
class Waiting:
    """How a run waits."""

    release: Callable[[], object]
    """Gives back the lock of the first round."""
    locked: Callable[[], AbstractContextManager[None]]
    """Takes it for a later one."""
    patience: Patience


def follow(
    waiting: Waiting,
    run: Run[Writer],
    *,
    agreed: Plan,
    first: tuple[Situation, tuple[Outcome, ...]],
    saved: PlanDoc | None,
    record: RunRecord,
) -> Situation:
    """Wait until nothing that is wanted goes on, and return how things stand.

    Args:
        waiting: how.
        run: what to work with.
        agreed: what was shown and agreed to.
        first: the first round, and what came of it.
        saved: the plan file, where one was applied.
        record: of the run.
    """
    waiting.release()
    situation, outcomes = first
    rounds = Rounds(
        run=run,
        declared=record.declared,
        agreement=agreed_to(agreed, saved, done=situation.plan),
        bought=requests_of(situation.plan),
        locked=waiting.locked,
        tell=lambda _, done: record.say(done),
        outcomes=outcomes,
    )

    def look() -> Situation:
        record.round += 1
        return rounds.look()

    view = until_ended(run, look, waiting.patience, lambda _: None, lambda: rounds.agreement.names_held)
    return view.situation

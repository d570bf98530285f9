"""After the creates: wait until the list shows them, and settle what two runners bought at once.

A later run without our ledger sees only the list, so this run ends when the list shows what it made. If another
runner bought the same work meanwhile, the older job stays: of the younger ones, each run cancels its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from reconciler.api.client import Reader
from reconciler.context import ApiT, Run
from reconciler.model import Observed, Phase
from reconciler.planning.actions import Cancel, Plan
from reconciler.plans.outcomes import Created, Outcome

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 8.0


def until_listed(run: Run[ApiT], look: Callable[[], Observed], outcomes: Iterable[Outcome]) -> Observed:
    """Look at the workspace until every created job shows, at most for the settle time; return the last look.

    Args:
        run: what to work with.
        look: reads the workspace whole.
        outcomes: what an apply did.

    Raises:
        ApiError: the workspace cannot be read.
    """
    made = frozenset(outcome.job.id for outcome in outcomes if isinstance(outcome, Created))
    world = run.world
    give_up_at = world.monotonic() + run.limits.settle_seconds
    wait = FIRST_WAIT
    while True:
        observed = look()
        missing = made - {ours.job.id for ours in observed.ours} - {it.job.id for it in observed.unreadable}
        if not missing or world.stop.is_set() or world.monotonic() >= give_up_at:
            break
        world.sleep(min(wait, give_up_at - world.monotonic()))
        wait = min(wait * 2, LONGEST_WAIT)
    if missing:
        world.log("jobs.not_listed_yet", job_ids=sorted(missing))
    return observed


def my_duplicates(plan: Plan, outcomes: Iterable[Outcome], reader: Reader) -> Plan:
    """Cut a plan down to the duplicates that this run made, where the job that stays is really there.

    Raises:
        ApiError: a job that would stay cannot be read.
    """
    ops = {outcome.op for outcome in outcomes if isinstance(outcome, Created)}
    there = (Phase.ACTIVE, Phase.SUCCEEDED)
    decisions = (
        replace(
            decision,
            actions=tuple(
                cancel
                for cancel in decision.of(Cancel)
                if cancel.twin
                and cancel.ours.tags.op in ops
                and reader.get_job(cancel.twin.id).phase in there
            ),
        )
        for decision in plan.decisions
    )
    return replace(plan, decisions=tuple(decision for decision in decisions if decision.actions))

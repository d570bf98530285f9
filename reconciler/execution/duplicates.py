"""After the creates: wait until the list shows them, and cancel duplicates that two runners created at once.

A later run without this ledger sees only the list, so this run ends when the list shows the jobs that it created. If
another runner created the same work meanwhile, the older job stays, and each run cancels its own younger ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from reconciler.api.client import Reader
from reconciler.context import ApiT, RunContext
from reconciler.execution.pauses import Pauses
from reconciler.model import Observed, Phase
from reconciler.planning.actions import Cancel, Plan
from reconciler.plans.outcomes import Created, Outcome


def until_listed(
    run: RunContext[ApiT], look: Callable[[], Observed], outcomes: Iterable[Outcome]
) -> Observed:
    """Read the workspace until it shows every created job, at most for the settle time; return the last result.

    Args:
        run: what to work with.
        look: reads the whole workspace.
        outcomes: those of an apply.

    Raises `ApiError` if the workspace cannot be read.
    """
    made = frozenset(outcome.job.id for outcome in outcomes if isinstance(outcome, Created))
    until = run.env.monotonic() + run.limits.settle_seconds
    pauses = Pauses(run.env, until=until, seconds=0.5, longest=8.0)
    observed = look()
    while (missing := made - {job.id for job in observed.our_jobs}) and pauses.wait():
        observed = look()
    if missing:
        run.env.log("jobs.not_listed_yet", job_ids=sorted(missing))
    return observed


def own_duplicates(plan: Plan, outcomes: Iterable[Outcome], reader: Reader) -> Plan:
    """Reduce a plan to the cancels of duplicates that this run created, if the job that stays really exists.

    Raises `ApiError` if a job that would stay cannot be read.
    """
    ops = {outcome.op for outcome in outcomes if isinstance(outcome, Created)}
    there = (Phase.ACTIVE, Phase.SUCCEEDED)
    decisions = (
        replace(
            decision,
            actions=tuple(
                cancel
                for cancel in decision.of(Cancel)
                if cancel.duplicate_of
                and cancel.owned.tags.op in ops
                and reader.get_job(cancel.duplicate_of.id).phase in there
            ),
        )
        for decision in plan.decisions
    )
    return replace(plan, decisions=tuple(decision for decision in decisions if decision.actions))

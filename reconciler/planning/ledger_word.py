"""Creates that rest on the ledger alone. A person who may push to a shared ledger can add lines to it. Pure.

A create is marked if the planner would hold it without the lines of the ledger that make it possible
(`Memory.doubted`), or if the ledger may say something about its work that cannot be read (`Memory.doubts`).
`plans.agreement` holds such a create in a run without an agreed plan.
"""

from __future__ import annotations

from msgspec.structs import replace

from reconciler.planning.actions import Action, Create
from reconciler.planning.case import Case


def marked(case: Case, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Mark the creates that rest on the ledger alone."""
    if not any(isinstance(it, Create) for it in actions):
        return actions
    says = _says(case)
    return tuple(replace(it, rests_on_ledger=says) if isinstance(it, Create) else it for it in actions)


def _says(case: Case) -> str:
    memory, works = case.memory, {key.work for key in case.run_keys}
    for doubt in memory.doubts:
        if doubt.name == case.name or doubt.work in works or not (doubt.name or doubt.work):
            return doubt.says
    doubted = replace(case, memory=memory.doubted)
    in_doubt = (
        case.cancelled_by_this_tool(it) != doubted.cancelled_by_this_tool(it)
        and not any(map(it.is_twin_of, case.donors))
        for it in case.donors
        if it.phase.ended
    )
    if doubted.to_create and (case.to_submit is None or not any(in_doubt)):
        return ""
    known = (*(owned.job.id for owned in case.of_run_key), *(it.job_id for it in case.remembered))
    cancelled = dict.fromkeys(f"cancelled by {by}" for it in known if (by := memory.cancelled_by.get(it)))
    gone = (f"job {it.job_id[:8]} {it.phase}" for it in case.remembered_gone)
    return "; ".join(cancelled or gone) or "the ends of earlier jobs"

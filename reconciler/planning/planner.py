"""plan(): decides about every name, from the declared specs, the workspace, the ledger's memory and the time.

Pure: no client, clock, logger or environment. Exactly one rule of the table applies to a name. If that rule is about
the wanted work, live jobs of other work under the name are decided as well. `docs/planner.md` has the table, which is
generated from the rules.

A name can be "not declared" only if the complete spec root was loaded. A job belongs to the spec that wants its run
key, whatever its name was (if several want it, to one of them: `sharing`), and otherwise to the name in its tags. Jobs
without our project's tag are ignored, except adopted ones. The order of the input does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed
from reconciler.planning import sharing
from reconciler.planning.actions import Action, Create, Decision, Plan
from reconciler.planning.case import Case
from reconciler.planning.group_by_name import NO_WORKS, group_by_name
from reconciler.planning.hold_back import wait_for_lenders
from reconciler.planning.notes import notes, widened
from reconciler.planning.rules import blocked, by_request, create, existing, held, other_work, unwanted
from reconciler.planning.rules.rule import Rule
from reconciler.planning.work import Work

BLOCKED: Final = (
    blocked.unreadable,
    blocked.newer_tool,
    blocked.unknown_status,
    blocked.other_root,
    blocked.other_history,
)
UNWANTED: Final = (unwanted.suspended, unwanted.removed, unwanted.renamed, unwanted.history)
EXISTING: Final = (
    existing.succeeded,
    existing.running,
    existing.unsettled,
    existing.stopping,
    existing.not_adopted,
    existing.success_gone,
    existing.record_gone,
)
HELD: Final = (
    held.cancelled,
    held.partial,
    held.failed,
    held.original_gone,
    by_request.incomplete,
    by_request.canary_failed,
    by_request.answers_late,
    by_request.answers_gone,
    by_request.results_needed,
)
CREATED: Final = (
    create.checkout_behind,
    create.waiting,
    create.perhaps_submitted,
    create.restored,
    create.retry,
    create.not_submitted,
    create.part,
)
WANTED: Final = (EXISTING, HELD, CREATED)
TABLE: Final[tuple[tuple[Rule, ...], ...]] = (BLOCKED, UNWANTED, *WANTED)
"""Every rule. `docs/planner.md` is generated from it."""
WANTED_STANDINGS: Final = frozenset(rule.standing for part in WANTED for rule in part)
"""The standings in which live jobs of other work are decided as well."""
RULES: Final = tuple(rule for part in (*WANTED, BLOCKED, UNWANTED) for rule in part)
"""The same; those that apply most often are first."""


def plan(
    declared: Declared,
    observed: Observed,
    memory: Memory,
    *,
    works: Mapping[str, Work] = NO_WORKS,
    now: float,
) -> Plan:
    """Decide about every name.

    Args:
        declared: the specs of the project, and the checkout.
        observed: the whole workspace, sorted by owner.
        memory: what the ledger remembers; `Memory()` without one.
        works: the state of each request, by name: of the names whose results were read.
        now: wall clock, Unix seconds.
    """
    return plan_cases(group_by_name(declared, observed, memory, works=works, now=now), declared)


def plan_cases(several: Iterable[Case], declared: Declared) -> Plan:
    """Decide about every case, in their order."""
    decisions, not_considered = [], 0
    cases = {case.name: case for case in several}
    for case in cases.values():
        if not _considered(case, declared):
            not_considered += len(case.own_jobs)
        elif (decision := decide(case, cases.get(case.owner))).actions:
            decisions.append(decision)
    return Plan(decisions=wait_for_lenders(decisions), not_considered=not_considered)


def _considered(case: Case, declared: Declared) -> bool:
    if case.name in declared.later:
        return False
    return declared.selected is None or (case.spec is not None and case.name in declared.selected)


def decide(case: Case, owner: Case | None = None) -> Decision:
    """Decide about one name; `owner` is the name that owns the job of its work, if another one does."""
    rule = rule_for(case)
    standing, actions = rule.standing, rule.decide(case)
    if standing in WANTED_STANDINGS:
        if owner is not None:
            standing, actions = sharing.shared(standing, actions, decide(owner))
        actions = _marked(case, actions)
        actions += other_work.other_work(case)
    return Decision(
        name=case.name,
        spec=case.spec,
        standing=standing,
        actions=actions,
        widened=standing in WANTED_STANDINGS and bool(widened(case, actions)),
        notes=tuple(notes(case, actions)),
        states=(owner or case).tally if case.spec else None,
    )


def rule_for(case: Case) -> Rule:
    """Return the one rule that applies to a name."""
    return next(rule for rule in RULES if rule.applies(case))


def _marked(case: Case, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Mark the creates that rest on the ledger alone: a person who may push to a shared ledger can add lines to it.

    `plans.agreement` holds such a create in a run without an agreed plan.
    """
    if not any(isinstance(it, Create) for it in actions):
        return actions
    says = _ledger_says(case)
    return tuple(replace(it, rests_on_ledger=says) if isinstance(it, Create) else it for it in actions)


def _ledger_says(case: Case) -> str:
    """Return the lines of the ledger without which the create would be held, or those about it that cannot be read."""
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

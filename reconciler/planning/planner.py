"""plan(): decides about every name, from the declared specs, the workspace, the ledger's memory and the time.

Pure: no client, clock, logger or environment. Exactly one rule of the table applies to a name. If that rule is about
the wanted work, live jobs of other work under the name are decided as well. `docs/planner.md` has the table, which is
generated from the rules.

A name can be "not declared" only if the complete spec root was loaded. A job belongs to the spec that wants its run
key, whatever its name was (if several want it, to one of them: `sharing`), and otherwise to the name in its tags. Jobs
without our project's tag are ignored, except adopted ones. The order of the input does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Observed, OwnedJob, Phase
from reconciler.planning import glob_growth, ledger_word, period_notes, sharing
from reconciler.planning.actions import Action, Cancel, Create, Decision, Keep, Plan, Reason
from reconciler.planning.case import Case
from reconciler.planning.group_by_name import group_by_name
from reconciler.planning.rules import blocked, create, existing, held, other_work, unwanted
from reconciler.planning.rules.changes import submitted_before
from reconciler.planning.rules.rule import Rule
from reconciler.text.plural import pluralize

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
HELD: Final = (held.cancelled, held.partial, held.failed, held.original_gone)
CREATED: Final = (
    create.checkout_behind,
    create.waiting,
    create.perhaps_submitted,
    create.restored,
    create.retry,
    create.not_submitted,
)
WANTED: Final = (EXISTING, HELD, CREATED)
TABLE: Final[tuple[tuple[Rule, ...], ...]] = (BLOCKED, UNWANTED, *WANTED)
"""Every rule. `docs/planner.md` is generated from it."""
WANTED_STANDINGS: Final = frozenset(rule.standing for part in WANTED for rule in part)
"""The standings in which live jobs of other work are decided as well."""
RULES: Final = tuple(rule for part in TABLE for rule in part)

LOSING: Final = frozenset({Reason.REMOVED, Reason.SUSPENDED})
"""The reasons of cancels without a replacement, whose lost answers a note counts."""
OVERDUE_AFTER: Final = 3600
"""Seconds by which a job may exceed its timeout before a note says so."""


def plan(declared: Declared, observed: Observed, memory: Memory, *, now: float) -> Plan:
    """Decide about every name.

    Args:
        declared: the specs of the project, and the checkout.
        observed: the whole workspace, sorted by owner.
        memory: what the ledger remembers; `Memory()` without one.
        now: wall clock, Unix seconds.
    """
    decisions, not_considered = [], 0
    cases = {case.name: case for case in group_by_name(declared, observed, memory, now=now)}
    for case in cases.values():
        if not _considered(case, declared):
            not_considered += len(case.own_jobs)
        elif (decision := decide(case, cases.get(case.owner))).actions:
            decisions.append(decision)
    return Plan(decisions=tuple(decisions), not_considered=not_considered)


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
            standing, actions = sharing.shared(case, standing, actions, decide(owner))
        actions = ledger_word.marked(case, actions)
        actions += other_work.other_work(case)
    return Decision(
        name=case.name,
        spec=case.spec,
        standing=standing,
        actions=actions,
        notes=tuple(notes(case, actions)),
    )


def rule_for(case: Case) -> Rule:
    """Return the one rule that applies to a name."""
    return next(rule for rule in RULES if rule.applies(case))


def notes(case: Case, actions: tuple[Action, ...]) -> list[str]:
    """Return notes that change nothing about the decision."""
    found = [
        f"cancelling {action.owned.job.short_id} loses {pluralize(action.owned.job.answers, 'answer')}"
        for action in actions
        if isinstance(action, Cancel) and action.reason in LOSING and action.owned.job.answers
    ]
    if case.spec is None or case.owner:
        return found
    for action in actions:
        if isinstance(action, Create):
            found += _notes_on_create(case, action)
    kept = {action.job.id for action in actions if isinstance(action, Keep) and action.job}
    for owned in case.wanted:
        if owned.job.id in kept:
            found += _notes_on(case, owned)
    return found


def _notes_on_create(case: Case, create: Create) -> Iterator[str]:
    """Say what others will not see, where a change was made, and which earlier job did a part of the work."""
    spec, before = create.spec, submitted_before(case)
    for path in spec.files:
        if path in case.declared.uncommitted:
            yield f"{path} has uncommitted changes; other machines will not see them"
    lost = sum(owned.job.answers for owned in case.wanted_in(Phase.CANCELLED))
    if lost and create.reason is Reason.RESTORED:
        yield f"{pluralize(lost, 'answer')} came before the cancel: these requests are submitted again"
    for change in create.changes:
        if at := spec.defaults.get(change.field):
            yield f"{change.field} is set in {at.path}:{at.line}"
    if before and create.reason is Reason.RERUN and before.tags.name != case.name:
        yield f"submitted before as {before.tags.name}"
    if before and create.reason is Reason.CHANGED and (note := glob_growth.note(before, spec)):
        yield note
    if create.reason in (Reason.CHANGED, Reason.RERUN) and (note := period_notes.note(spec, case.jobs)):
        yield note
    if spec.adopt and spec.adopt.work not in {key.work for key in spec.run_keys}:
        now = spec.run_key.work[:11]
        yield f"`adopt` names other work ({spec.adopt.work[:11]}) than the spec declares now ({now})"


def _notes_on(case: Case, owned: OwnedJob) -> list[str]:
    if case.spec is None:
        return []
    found = []
    if owned.tags.name != case.name:
        found.append(f"submitted as {owned.tags.name}")
    if case.from_elsewhere(owned):
        found.append(f"submitted from {owned.tags.source.root or '.'}")
    if owned.tags.settings != case.spec.settings and not owned.adopted:
        found.append(
            "settings changed (metadata, timeout_hours or on_remove): they take effect with the next job"
        )
    if owned.phase is Phase.ACTIVE:
        if owned.tags.on_remove != case.spec.on_remove and not owned.adopted:
            found.append(f"the running job still has on_remove={owned.tags.on_remove}")
        if case.now > owned.job.created_at + case.spec.timeout_hours * 3600 + OVERDUE_AFTER:
            found.append(f"past its timeout of {case.spec.timeout_hours} h by more than an hour")
    return found

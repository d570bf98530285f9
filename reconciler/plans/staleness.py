"""Compares a saved plan with a fresh one.

A saved plan is a promise about actions, not about the workspace. `apply` gathers and plans again, and does only the
actions that are in both plans. A saved action that the fresh plan lacks is either satisfied (no longer needed: the job
ended, or another run created the work) or broken (the plan is stale). Progress of running jobs never makes a plan
stale.

A saved create holds for at most as many requests as it shows: now, and in all. A later attempt or part means that it
was submitted, and is its rest or a retry: it is done, with the same settings, within what the plan shows in all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from reconciler.errors import StalePlanError
from reconciler.model import Observed, Phase, RunKey, Target
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan
from reconciler.planning.standing import CONTINUES
from reconciler.plans.action_documents import CancelDoc, CreateDoc
from reconciler.plans.document import DecisionDoc, PlanDoc
from reconciler.plans.settings_document import SettingsDoc

ActionKey: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlanResult:
    """The result of comparing a saved plan with a fresh one."""

    plan: Plan
    """The fresh plan, without the actions that the saved one does not have."""
    satisfied: tuple[str, ...]
    """Saved actions that are no longer needed."""
    broken: tuple[str, ...]
    """Saved actions that are needed and no longer planned, with what is planned instead; they are never done."""
    extra: tuple[str, ...]
    """Actions that only the fresh plan has; they are never done."""


def check_target(saved: PlanDoc, target: Target) -> None:
    """Refuse a plan that was made for another workspace. Raises `StalePlanError` if host, project or sandbox differ."""
    made_for = saved.target
    if made_for != target:
        raise StalePlanError(
            f"the plan was made for project {made_for.project} on {made_for.host}, "
            f"and this is project {target.project} on {target.host}",
            hint="apply it in that project, or plan again here",
        )


def reconcile_saved_plan(saved: PlanDoc, fresh: Plan, observed: Observed) -> SavedPlanResult:
    """Reduce a fresh plan to the actions of a saved one. Pure."""
    promised, present = promises(saved.decisions), _present(fresh)
    satisfied, broken = compare(promised, fresh, observed)
    kept = promised.keys() - broken.keys()
    left = (_cut(decision, kept) for decision in fresh.decisions)
    return SavedPlanResult(
        plan=replace(fresh, decisions=tuple(decision for decision in left if decision.actions)),
        satisfied=tuple(satisfied),
        broken=tuple(words for several in broken.values() for words in several),
        extra=tuple(f"{key[0]} {key[1]}" for key in sorted(present.keys() - promised.keys())),
    )


def promises(decisions: Iterable[DecisionDoc]) -> dict[ActionKey, CreateDoc | CancelDoc]:
    """Return what the decisions of a saved plan would write."""
    return {
        action_key(decision.name, action): action
        for decision in decisions
        for action in decision.actions
        if isinstance(action, CreateDoc | CancelDoc)
    }


def _present(fresh: Plan) -> dict[ActionKey, Create | Cancel]:
    return {
        action_key(decision.name, action): action
        for decision in fresh.decisions
        for action in decision.actions
        if isinstance(action, Create | Cancel)
    }


def compare(
    promised: Mapping[ActionKey, CreateDoc | CancelDoc], fresh: Plan, observed: Observed
) -> tuple[list[str], dict[ActionKey, list[str]]]:
    """Return which saved actions are no longer needed, and which are broken, with what is planned instead. Pure."""
    present = _present(fresh)
    satisfied: list[str] = []
    broken: dict[ActionKey, list[str]] = {}
    now = {decision.name: decision for decision in fresh.decisions}
    ahead = {cancel.owned.job.id for cancel in fresh.of(Cancel) if cancel.cancel_before_create}
    for key, action in promised.items():
        planned = present.get(key)
        if isinstance(action, CreateDoc) and isinstance(planned, Create):
            if more := [f"create {key[1]}: {it}" for it in _more(action, planned, now[key[1]])]:
                broken[key] = more
        elif isinstance(action, CancelDoc) and not action.cancel_before_create and action.job.id in ahead:
            broken[key] = [
                f"cancel {key[1]}: there is no room for both jobs, so it would now be cancelled before the create"
            ]
        elif planned is None:
            progress = _progress(action, fresh, observed)
            words = f"{key[0]} {key[1]}"
            if progress:
                satisfied.append(f"{words}: {progress}")
            else:
                broken[key] = [f"{words}: {_instead(now.get(key[1]))}{_changed(action, now.get(key[1]))}"]
    return satisfied, broken


def _more(action: CreateDoc, planned: Create, decision: Decision) -> Iterator[str]:
    """Yield what a create would do that the saved one does not show."""
    for it in SettingsDoc.of(planned.spec).differences(action.settings):
        yield f"{it.field} was {it.before}, now {it.after}"
    if not is_of(action, planned, decision):
        yield _instead(decision)
    elif planned.attempt == action.attempt and exceeds(planned.requests, action.requests):
        yield f"requests were {action.requests:,}, now {planned.requests or 0:,}"
    elif exceeds(planned.in_all, action.in_all):
        yield f"requests in all were {action.in_all:,}, now {planned.in_all or 0:,}"


def is_of(action: CreateDoc, planned: Create, decision: Decision) -> bool:
    """Whether a create is a saved one, or its rest or a retry."""
    later = planned.attempt > action.attempt and decision.standing in CONTINUES
    return planned.attempt == action.attempt or later


def exceeds(number: int | None, agreed: int | None) -> bool:
    """Whether a number of requests is more than was agreed to; if neither is known, it is not."""
    return agreed is not None and (number is None or number > agreed)


def _cut(decision: Decision, promised: Collection[ActionKey]) -> Decision:
    actions = tuple(
        action
        for action in decision.actions
        if not isinstance(action, Create | Cancel) or action_key(decision.name, action) in promised
    )
    return replace(decision, actions=actions)


def action_key(name: str, action: CreateDoc | CancelDoc | Create | Cancel) -> ActionKey:
    """Return what identifies an action in both kinds of plan: a create by its work, whatever its attempt."""
    match action:
        case CreateDoc():
            return ("create", name, action.work, action.rerun)
        case Create():
            return ("create", name, *action.spec.run_key)
        case CancelDoc():
            return ("cancel", name, action.job.id)
        case Cancel():
            return ("cancel", name, action.owned.job.id)
        case _:
            assert_never(action)


def _progress(action: CreateDoc | CancelDoc, fresh: Plan, observed: Observed) -> str:
    """Return why a saved action is no longer needed; "" if it is."""
    match action:
        case CreateDoc():
            key = RunKey(action.work, action.rerun)
            theirs = {owned.job.id: owned.tags.run_key for owned in observed.owned}
            adopts = (decision.spec.adopt for decision in fresh.decisions if decision.spec)
            theirs |= {it.job: RunKey(it.work, "") for it in adopts if it}
            keeps = (
                keep
                for decision in fresh.decisions
                if decision.spec and key in decision.spec.run_keys
                for keep in decision.of(Keep)
                if keep.job is None or theirs.get(keep.job.id) in decision.spec.run_keys
            )
            return next((f"already submitted, {keep.reason}" for keep in keeps), "")
        case CancelDoc():
            live = {job.id for job in observed.our_jobs if job.phase in (Phase.ACTIVE, Phase.UNKNOWN)}
            return "" if action.job.id in live else "it no longer runs"
        case _:
            assert_never(action)


def _instead(decision: Decision | None) -> str:
    """Return what the fresh plan does about a name."""
    if decision is None:
        return "now there is nothing to do"
    return "now " + ", ".join(_words(action) for action in decision.actions)


def _changed(action: CreateDoc | CancelDoc, decision: Decision | None) -> str:
    """Name what has changed in the work of a create: fields, and input files with both digests."""
    spec = decision.spec if decision else None
    if isinstance(action, CancelDoc) or spec is None:
        return ""
    names = [
        name for name in ("endpoint", "model", "agent_id") if getattr(action, name) != getattr(spec, name)
    ]
    found = [
        f"; {name} was {getattr(action, name) or 'none'}, now {getattr(spec, name) or 'none'}"
        for name in names
    ]
    now = {file.label: file.sha256 for file in spec.uploads}
    found += [
        f"; {file.path} changed: it was sha256 {file.sha256}, now {now[file.path]}"
        for file in action.uploads
        if now.get(file.path, file.sha256) != file.sha256
    ]
    return "".join(found)


def _words(action: Action) -> str:
    match action:
        case Create():
            return f"create ({action.reason}, work {action.spec.run_key.work[:11]}, attempt {action.attempt})"
        case Cancel():
            return f"cancel {action.owned.job.short_id} ({action.reason})"
        case Keep():
            return f"keep ({action.reason})"
        case Hold():
            return f"hold ({action.reason})"
        case _:
            assert_never(action)

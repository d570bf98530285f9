"""What of a saved plan still holds.

A saved plan is a promise about actions, not about the workspace. When it is applied, everything is gathered and
planned again, and only what stands in both plans is done. A saved action that the fresh plan lacks is either
satisfied (progress made it unnecessary: the job ended, somebody bought the work) or broken (the plan is stale). Jobs
that merely run on never make a plan stale.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from reconciler.errors import StalePlanError
from reconciler.model import InputFile, Observed, Phase, RunKey, Target
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan
from reconciler.plans.document import CancelDoc, CreateDoc, PlanDoc

Key: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What a saved plan and a fresh one make of each other."""

    plan: Plan
    """The fresh plan, less the actions that the saved one does not hold."""
    satisfied: tuple[str, ...]
    """Saved actions that progress has made unnecessary."""
    broken: tuple[str, ...]
    """Saved actions that neither hold nor are unnecessary, with what is planned instead; they are never done."""
    extra: tuple[str, ...]
    """Actions that only the fresh plan holds; they are never done."""


def check_target(saved: PlanDoc, target: Target) -> None:
    """Refuse a plan that was made for another workspace.

    Raises:
        StalePlanError: host, project or sandbox differ.
    """
    made_for = saved.target.value
    if made_for != target:
        raise StalePlanError(
            f"the plan was made for project {made_for.project} on {made_for.host}, "
            f"and this is project {target.project} on {target.host}",
            hint="apply it where it was made for, or plan again here",
        )


def reduced(saved: PlanDoc, fresh: Plan, observed: Observed) -> Reduced:
    """Cut a fresh plan down to what a saved one holds. Pure."""
    promised = {
        _saved_key(decision.name, action): action
        for decision in saved.decisions
        for action in decision.actions
        if isinstance(action, CreateDoc | CancelDoc)
    }
    present = {
        _key(decision.name, action)
        for decision in fresh.decisions
        for action in decision.actions
        if isinstance(action, Create | Cancel)
    }
    satisfied: list[str] = []
    broken: list[str] = []
    ahead = {cancel.ours.job.id for cancel in fresh.of(Cancel) if cancel.first}
    for key, action in promised.items():
        if isinstance(action, CancelDoc) and not action.first and action.job.id in ahead:
            broken.append(f"cancel {key[1]}: now before what replaces it is created, for lack of room")
        elif key not in present:
            progress = _progress(action, fresh, observed)
            words = f"{_verb(key)} {key[1]}"
            if progress:
                satisfied.append(f"{words}: {progress}")
            else:
                broken.append(f"{words}: {_instead(key[1], fresh)}{_changed(action, key[1], fresh)}")
    left = (_cut(decision, promised.keys()) for decision in fresh.decisions)
    return Reduced(
        plan=replace(fresh, decisions=tuple(decision for decision in left if decision.actions)),
        satisfied=tuple(satisfied),
        broken=tuple(broken),
        extra=tuple(f"{_verb(key)} {key[1]}" for key in sorted(present - promised.keys())),
    )


def _cut(decision: Decision, promised: Collection[Key]) -> Decision:
    actions = tuple(
        action
        for action in decision.actions
        if not isinstance(action, Create | Cancel) or _key(decision.name, action) in promised
    )
    return replace(decision, actions=actions)


def _saved_key(name: str, action: CreateDoc | CancelDoc) -> Key:
    match action:
        case CreateDoc():
            return ("create", name, action.work, action.rerun, str(action.attempt))
        case CancelDoc():
            return ("cancel", name, action.job.id)
        case _:
            assert_never(action)


def _key(name: str, action: Create | Cancel) -> Key:
    match action:
        case Create():
            return ("create", name, *action.spec.run_key, str(action.attempt))
        case Cancel():
            return ("cancel", name, action.ours.job.id)
        case _:
            assert_never(action)


def _verb(key: Key) -> str:
    return key[0]


def _progress(action: CreateDoc | CancelDoc, fresh: Plan, observed: Observed) -> str:
    """Say how the world has made a saved action unnecessary; "" where it has not."""
    match action:
        case CreateDoc():
            key = RunKey(action.work, action.rerun)
            theirs = {ours.job.id: ours.tags.run_key for ours in observed.ours}
            adopts = (decision.spec.adopt for decision in fresh.decisions if decision.spec)
            theirs |= {it.job: RunKey(it.work, "") for it in adopts if it}
            keeps = (
                keep
                for decision in fresh.decisions
                if decision.spec and key in decision.spec.run_keys
                for keep in decision.of(Keep)
                if keep.job is None or theirs.get(keep.job.id) in decision.spec.run_keys
            )
            return next((f"already bought, {keep.reason}" for keep in keeps), "")
        case CancelDoc():
            jobs = (*(it.job for it in observed.ours), *(it.job for it in observed.unreadable))
            live = {job.id for job in jobs if job.phase in (Phase.ACTIVE, Phase.UNKNOWN)}
            return "" if action.job.id in live else "it no longer runs"
        case _:
            assert_never(action)


def _instead(name: str, fresh: Plan) -> str:
    """Say what the fresh plan says about a name."""
    decision = next((decision for decision in fresh.decisions if decision.name == name), None)
    if decision is None:
        return "nothing is to be done about it now"
    return "now " + ", ".join(_words(action) for action in decision.actions)


def _changed(action: CreateDoc | CancelDoc, name: str, fresh: Plan) -> str:
    """Name the input files of a create that are other bytes by now, with both digests."""
    if isinstance(action, CancelDoc):
        return ""
    decision = next((decision for decision in fresh.decisions if decision.name == name), None)
    inputs = decision.spec.inputs if decision and decision.spec else ()
    now = {part.path: part.sha256 for part in inputs if isinstance(part, InputFile)}
    return "".join(
        f"; {file.path} changed: it was sha256 {file.sha256}, now {now[file.path]}"
        for file in action.uploads
        if now.get(file.path, file.sha256) != file.sha256
    )


def _words(action: Action) -> str:
    match action:
        case Create():
            return f"create ({action.reason}, work {action.spec.run_key.work[:11]}, attempt {action.attempt})"
        case Cancel():
            return f"cancel {action.ours.job.short_id} ({action.reason})"
        case Keep():
            return f"keep ({action.reason})"
        case Hold():
            return f"hold ({action.reason})"
        case _:
            assert_never(action)

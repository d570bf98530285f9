"""Holds the create of a planned decision, and keeps the job that it would replace. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Reason
from reconciler.planning.name_facts import original
from reconciler.planning.standing import Standing


def replaced_by(decision: Decision) -> list[Cancel]:
    """Return the cancels of the jobs that a create replaces: duplicates are none."""
    return [cancel for cancel in decision.of(Cancel) if cancel.duplicate_of is None]


def hold_create(decision: Decision, hold: Hold, standing: Standing, why: str) -> Decision:
    """Hold the create, and keep the job that it would replace; of twins, the oldest.

    Args:
        decision: about one name.
        hold: what takes the place of the create.
        standing: the new standing of the name.
        why: the words for a kept job: why the job that would replace it is not created.
    """
    replaced = replaced_by(decision)
    staying = tuple(cancel.owned for cancel in replaced)
    actions: list[Action] = []
    for action in decision.actions:
        if isinstance(action, Create):
            actions.append(hold)
        elif isinstance(action, Cancel) and action in replaced:
            detail = f"the job that would replace it {why}"
            stays = original(action.owned, staying, {action.owned.tags.run_key})
            kept = Keep(job=action.owned.job, reason=Reason.RUNNING, detail=detail)
            twin = Cancel(owned=action.owned, reason=Reason.DUPLICATE, duplicate_of=stays)
            actions.append(twin if stays else kept)
        else:
            actions.append(action)
    return replace(decision, standing=standing, actions=tuple(actions))

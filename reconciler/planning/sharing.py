"""Several specs that declare the same work share its job. One of them owns it; the others create and cancel nothing.

The owner is the spec whose name the newest job of the work has in its tags, or else the first by name. A suspended spec
owns a job only if all of them are suspended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from reconciler.model import JobSpec, OwnedJob, RunKey
from reconciler.planning.actions import Action, Create, Decision, Hold, Keep, Reason
from reconciler.planning.name_facts import rank
from reconciler.planning.standing import Standing

CASE: Final = "the wanted work is also that of another spec, which owns its job"
OUTCOME: Final = (
    "for that work nothing is created or cancelled: Hold `same_work` if the owner creates a job; otherwise Keep "
    "`same_work`, with attention by the spec's own `checks`, or the Hold of the owner"
)


def owners(specs: Iterable[JobSpec], jobs: Sequence[OwnedJob]) -> Mapping[RunKey, str]:
    """Return the name of the spec that owns the jobs of each wanted run key.

    `specs` are all that are declared; `jobs` are ours and the adopted ones, the oldest first.
    """
    wanting: dict[RunKey, list[JobSpec]] = defaultdict(list)
    for spec in specs:
        wanting[spec.run_key].append(spec)
    found = {key: several[0].name for several in wanting.values() for key in several[0].run_keys}
    shared = [several for several in wanting.values() if len(several) > 1]
    by_key: dict[RunKey, list[OwnedJob]] = defaultdict(list)
    for owned in jobs if shared else ():
        by_key[owned.tags.run_key].append(owned)
    for several in shared:
        keys = several[0].run_keys
        found |= dict.fromkeys(keys, _owner(several, [it for key in keys for it in by_key.get(key, ())]))
    return found


def sharers(specs: Sequence[JobSpec], jobs: Iterable[OwnedJob]) -> Mapping[str, list[str]]:
    """Return the names that share the job of another spec, by the name of its owner."""
    owned_by = owners(specs, sorted(jobs, key=lambda owned: owned.job.age_key))
    found: dict[str, list[str]] = defaultdict(list)
    for spec in specs:
        if owned_by[spec.run_key] != spec.name:
            found[owned_by[spec.run_key]].append(spec.name)
    return found


def _owner(specs: Sequence[JobSpec], jobs: Iterable[OwnedJob]) -> str:
    names = {it.name for it in specs if not it.suspend} or {it.name for it in specs}
    newest = max(jobs, key=rank, default=None)
    return newest.tags.name if newest and newest.tags.name in names else min(names)


def shared(
    standing: Standing, actions: tuple[Action, ...], owner: Decision
) -> tuple[Standing, tuple[Action, ...]]:
    """Return the standing of a name that does not own the job of its work, and what is done about that work.

    `standing` and `actions` are those of the name as if it owned the job; `owner` decides about the name that does.
    Results are read for the owner alone, so its words count for everything that is not kept.
    """
    if owner.of(Create):
        detail = f"its job will be that of `{owner.name}`"
        return owner.standing, (Hold(reason=Reason.SAME_WORK, detail=detail),)
    if not isinstance(actions[0], Keep):
        standing, actions = owner.standing, owner.actions
    return standing, tuple(_kept(it, owner.name) for it in actions[:1])


def _kept(action: Action, owner: str) -> Action:
    if not isinstance(action, Keep):
        return action
    detail = "; ".join(filter(None, [f"the job of `{owner}`", action.detail]))
    return replace(action, reason=Reason.SAME_WORK, detail=detail)

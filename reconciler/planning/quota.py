"""Holds the creates that exceed the quota of pending requests, in order of name. Pure: a plan in, a plan out.

The API refuses a job that exceeds its quota, so the tool does not send it. The number of pending requests is a lower
bound, because a job shows no total until the API has validated it.

    the job does not fit beside the requests that are pending now
        -> Hold `quota`; a later apply creates it
    it does not fit even into an empty workspace
        -> Hold `quota` (attention)
    it replaces a job, and fits once that one is gone
        -> Cancel the old one `superseded` first; the new one is created once it has stopped
    it replaces a job, and fits in neither way
        -> Hold `quota`, and Keep the old one `running`; of twins the oldest, Cancel the others `duplicate`
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model import OwnedJob, Pending
from reconciler.planning.actions import Cancel, Create, Decision, Hold, Plan, Reason
from reconciler.planning.hold_back import hold_create, replaced_by
from reconciler.planning.standing import Standing
from reconciler.text.plural import pluralize

HINTS: Final = {
    True: "split the job, or raise the limit if the API allows more",
    False: "run again when some of them are answered",
}
"""What to do about a create that does not fit, by whether it never will."""


class Quota(Struct, frozen=True, kw_only=True):
    """How many requests may be pending."""

    workspace: int
    """Of all projects together."""
    project: int | None = None
    """Of this project; None for no limit of its own."""

    def exceeded_by(self, pending: Pending, requests: int) -> str:
        """Return which limit that many more requests exceed, with numbers; "" if they fit."""
        if self.project is not None and pending.own + requests > self.project:
            return (
                f"{pluralize(requests, 'request')} and {pending.own:,} pending requests of this project exceed "
                f"limits.max_pending ({self.project:,})"
            )
        if pending.own + pending.others + requests > self.workspace:
            others = f"{pending.own:,} of this project and {pending.others:,} of others"
            new = pluralize(requests, "request")
            return f"{new} and the pending ones ({others}) exceed the workspace's limit of {self.workspace:,}"
        return ""


def apply_quota(plan: Plan, pending: Pending, quota: Quota, sent: Collection[str] | None = None) -> Plan:
    """Hold the creates of a plan, sorted by name, that do not fit: `quota` says how many requests may be pending.

    `sent` are the names whose creates are to be sent, None for all; no other create needs room.
    """
    decisions = []
    for decision in plan.decisions:
        creates = decision.of(Create) if sent is None or decision.name in sent else ()
        requests = sum(create.requests or 0 for create in creates)
        exceeded = quota.exceeded_by(pending, requests) if requests else ""
        if not exceeded:
            decisions.append(decision)
            pending = replace(pending, own=pending.own + requests)
        elif freed := _capacity_freed(decision, requests, pending, quota):
            decisions.append(_cancel_before_create(decision, exceeded))
            # Others may be created before the old job has stopped, so they get the smaller room of before and after.
            pending = replace(pending, own=pending.own + max(0, requests - freed))
        else:
            never = bool(quota.exceeded_by(Pending(), requests))
            hold = Hold(reason=Reason.QUOTA, detail=exceeded, hint=HINTS[never], attention=never)
            decisions.append(hold_create(decision, hold, Standing.NO_ROOM, "does not fit"))
    return replace(plan, decisions=tuple(decisions))


def _capacity_freed(decision: Decision, requests: int, pending: Pending, quota: Quota) -> int:
    """Return how many pending requests end with the replaced jobs, 0 if that does not make enough room."""
    freed = min(sum(remaining_requests(cancel.owned) or 0 for cancel in replaced_by(decision)), pending.own)
    return 0 if quota.exceeded_by(replace(pending, own=pending.own - freed), requests) else freed


def _cancel_before_create(decision: Decision, exceeded: str) -> Decision:
    """Mark the replaced jobs to be cancelled before the create."""
    replaced = replaced_by(decision)
    actions = tuple(
        replace(action, cancel_before_create=True)
        if isinstance(action, Cancel) and action in replaced
        else action
        for action in decision.actions
    )
    note = f"{exceeded}, so the job that it replaces is cancelled first"
    return replace(decision, actions=actions, notes=(*decision.notes, note))


def remaining_requests(owned: OwnedJob) -> int | None:
    """Return how many requests of a live job of ours have no answer yet; None if that is not known."""
    total = owned.requests
    return None if total is None else max(0, total - owned.job.completed_requests)

"""The promises about later rounds of `apply --wait`, one function each. Each yields the violations that it finds."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.ledger.lines import CreateIntended
from reconciler.planning.actions import Reason
from reconciler.plans.action_documents import CreateDoc, HoldDoc
from reconciler.plans.document import PlanDoc
from tests.simulation.accepted import Accepted, actions
from tests.simulation.server import FAILED


def a_later_round_creates_only_what_was_agreed_to(create: Accepted) -> Iterator[str]:
    """A later round creates only what follows from the agreed plan.

    These are the plan's creates, the creates that it held until there was room, those that wait for a job of other work
    of the name, and further attempts at its work that has failed. Of a saved plan they are only its creates, those that
    wait, and further attempts at the same work.
    """
    by, key, spec, agreed = create.by, create.job.key, create.spec, create.by.agreed
    if not by.round or agreed is None or key is None or spec is None:
        return
    creates = actions(agreed, CreateDoc)
    if (*key, create.job.attempt) in {(it.work, it.rerun, it.attempt) for it in creates}:
        return
    if spec.name in _held(agreed, Reason.WAITING) or (
        not by.saved and spec.name in _held(agreed, Reason.QUOTA)
    ):
        return
    named = {it.name for it in agreed.decisions if it.declared_at}
    known = key in {(it.work, it.rerun) for it in creates} if by.saved else spec.name in named
    if not known:
        yield "it is not in the plan"
    elif _reason(create) != Reason.RETRY or not any(failed(create)):
        yield f"it is {_reason(create)}, and nothing of it was held up"


def _held(agreed: PlanDoc, reason: Reason) -> set[str]:
    return {
        it.name
        for it in agreed.decisions
        if any(hold.reason == reason and not hold.attention for hold in it.of(HoldDoc))
    }


def _reason(create: Accepted) -> str:
    lines = (it for it in create.by.wrote if isinstance(it, CreateIntended) and it.op == create.job.op)
    return next((line.reason for line in lines), "")


def failed(create: Accepted) -> Iterator[bool]:
    """Yield, for each other attempt at the work, whether it failed."""
    for other in create.attempts():
        yield (other.ended_as if other.deleted_at else create.server.status(other.id)) in FAILED


def a_later_round_cancels_nothing(cancel: Accepted) -> Iterator[str]:
    """A later round cancels nothing but a duplicate that this very run has made."""
    if cancel.by.round and not (cancel.reason == "duplicate" and cancel.job.op in cancel.by.ops):
        yield f"round {cancel.by.round} does that"

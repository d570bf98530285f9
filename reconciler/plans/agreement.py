"""What a run may submit without an agreed plan: nothing that rests on the ledger alone. Pure.

A person agrees at the prompt, or by applying a saved plan. The plan that they saw says on what each create rests.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reconciler.planning.actions import Create, Decision, Hold, Plan, Reason
from reconciler.planning.hold_back import hold_create
from reconciler.planning.standing import Standing
from reconciler.plans.document import CreateDoc, PlanDoc

HINT: Final = "review and apply a saved plan: reconciler plan -o plan.json, then reconciler apply plan.json"


def hold_unagreed(plan: Plan, agreed: PlanDoc | None = None) -> Plan:
    """Hold the creates that rest on the ledger alone, unless the agreed plan says so of the same create.

    Args:
        plan: the fresh plan.
        agreed: the agreed plan, if there is one.
    """
    known = {
        (decision.name, create.work, create.rerun)
        for decision in (agreed.decisions if agreed else ())
        for create in decision.of(CreateDoc)
        if create.rests_on_ledger
    }

    def held(decision: Decision) -> Decision:
        for create in decision.of(Create):
            if create.rests_on_ledger and (decision.name, *create.spec.run_key) not in known:
                detail = f"only by the ledger: {create.rests_on_ledger}"
                hold = Hold(reason=Reason.NOT_AGREED, detail=detail, hint=HINT, attention=True)
                return hold_create(decision, hold, Standing.NOT_AGREED, "needs an agreement")
        return decision

    return replace(plan, decisions=tuple(map(held, plan.decisions)))

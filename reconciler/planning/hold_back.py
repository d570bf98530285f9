"""Replaces actions by holds: those that guards refuse, and creates that do not fit or need an agreement. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from reconciler.errors import ReconcilerError
from reconciler.model import JobSpec
from reconciler.model.inputs import elsewhere
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.planning.guard_input import Refusal
from reconciler.planning.other_jobs import original
from reconciler.planning.standing import Standing
from reconciler.text.money import money
from reconciler.text.plural import pluralize

OTHER_WORKSPACE: Final = "other_workspace"
"""The guard that holds back everything, cancels of duplicates too: in another workspace nothing is to be touched."""


def hold_back(plan: Plan, refusals: Iterable[Refusal]) -> Plan:
    """Hold the actions of every name that a guard refuses; cancels of duplicates go on."""
    guards: dict[str, list[str]] = defaultdict(list)
    for refusal in refusals:
        for name in refusal.held:
            guards[name].append(refusal.guard)
    decisions = (_held(it, guards[it.name]) if it.name in guards else it for it in plan.decisions)
    return replace(plan, decisions=tuple(decisions))


def hold_unread(plan: Plan) -> Plan:
    """Hold the creates of which it is not known which requests are answered: only a plan may show them, as a bound.

    The same for work in parts whose requests could not be chosen, because an input is not in this clone.
    """
    hold = Hold(
        reason=Reason.RESULTS_NEEDED,
        detail="the results of earlier jobs could not be read",
        hint="see why: reconciler outputs pull; then run again",
        attention=True,
    )
    decisions = (
        hold_create(it, hold, Standing.RESULTS_NEEDED, "is not created")
        if any(map(_unread, it.of(Create)))
        else it
        for it in plan.decisions
    )
    return replace(plan, decisions=tuple(decisions))


def hold_unfetched(plan: Plan, reasons: Mapping[str, ReconcilerError]) -> Plan:
    """Hold the creates of names with an input whose content could not be fetched or used, or is not here."""

    def held(decision: Decision) -> Decision:
        error = reasons.get(decision.name)
        far = [it.uri for create in decision.of(Create) for it in elsewhere(create.spec.inputs)]
        if not decision.of(Create) or not (error or far):
            return decision
        error = error or ReconcilerError(f"{far[0]}: its content is not on this machine", hint="run again")
        hold = Hold(reason=Reason.INPUT_NEEDED, detail=str(error), hint=error.hint, attention=True)
        return hold_create(decision, hold, Standing.INPUT_NEEDED, "is not created")

    return replace(plan, decisions=tuple(map(held, plan.decisions)))


def wait_for_lenders(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Hold creates of names that reuse the answers of a name which creates a job too: that job ends first.

    Of two names that reuse each other's answers, the first creates its job.
    """
    found = {it.name: it for it in decisions}
    reusing = [it for it in found.values() if it.spec and it.spec.reused_names and it.of(Create)]
    for decision, spec in ((it, it.spec) for it in reusing if it.spec):
        lenders = (it for it in spec.reused_names if it in found)
        first = next((it for it in lenders if _creates_first(found[it], spec)), None)
        if first is not None:
            hold = Hold(reason=Reason.WAITING, detail=f"for the job of `{first}` to end")
            found[decision.name] = hold_create(decision, hold, Standing.WAITING, "waits")
    return tuple(found.values())


def _creates_first(lender: Decision, spec: JobSpec) -> bool:
    answers = (
        (it.spec.recipe, it.spec.rerun) == (spec.recipe, spec.rerun)
        and (lender.name < spec.name or spec.name not in it.spec.reused_names)
        for it in lender.of(Create)
    )
    return any(answers)


def _unread(create: Create) -> bool:
    return create.spec.in_parts if create.part is None else create.part.at_most


def _held(decision: Decision, guards: Sequence[str]) -> Decision:
    everything = OTHER_WORKSPACE in guards
    creates = bool(decision.of(Create))
    cancels = [it for it in decision.of(Cancel) if everything or it.duplicate_of is None]
    by = ", ".join(guards)

    def instead(action: Action) -> Action:
        """Return what is done in place of an action. A job whose replacement is held continues."""
        match action:
            case Create():
                return Hold(
                    job=cancels[0].owned.job if cancels else None,
                    reason=Reason.HELD_BACK,
                    detail=f"{by}: create, {_words(action)}",
                    changes=action.changes,
                )
            case Cancel() if action in cancels:
                job = action.owned.job
                if creates:
                    return Keep(job=job, reason=Reason.RUNNING, detail="its replacement is held back")
                return Hold(
                    job=job, reason=Reason.HELD_BACK, detail=f"{by}: cancel, {action.reason.explanation}"
                )
            case _:
                return action

    return replace(
        decision,
        standing=Standing.HELD_BACK if creates else decision.standing,
        actions=tuple(map(instead, decision.actions)),
    )


def _words(create: Create) -> str:
    """Return `inputs changed, 501 requests of mistral-small-2603, at most $0.60`."""
    spec, fields, cost = create.spec, ", ".join(change.field for change in create.changes), create.estimate
    count = create.requests
    number = "an unknown number of requests" if count is None else pluralize(count, "request")
    why = f"{fields} changed" if fields else str(create.reason)
    most = f", at most {money(cost.at_most, cost.currency, at_most=True)}" if cost and cost.at_most else ""
    return f"{why}, {number} of {spec.model or spec.agent_id}{most}"


def replaced_by(decision: Decision) -> list[Cancel]:
    """Return the cancels of the jobs that a create replaces: duplicates are none."""
    return [cancel for cancel in decision.of(Cancel) if cancel.duplicate_of is None]


def hold_create(decision: Decision, hold: Hold, standing: Standing, why: str) -> Decision:
    """Hold the create, and keep the job that it would replace; of twins, the oldest.

    `hold` takes the place of the create, and `standing` is the new one of the name. `why` says, for a kept job, why the
    job that would replace it is not created.
    """
    replaced = replaced_by(decision)
    staying = tuple(cancel.owned for cancel in replaced)
    actions: list[Action] = []
    for action in decision.actions:
        if isinstance(action, Create):
            actions.append(replace(hold, requests=action.in_all))
        elif isinstance(action, Cancel) and action in replaced:
            detail = f"the job that would replace it {why}"
            stays = original(action.owned, staying, {action.owned.tags.run_key})
            kept = Keep(job=action.owned.job, reason=Reason.RUNNING, detail=detail)
            twin = Cancel(owned=action.owned, reason=Reason.DUPLICATE, duplicate_of=stays)
            actions.append(twin if stays else kept)
        else:
            actions.append(action)
    return replace(decision, standing=standing, actions=tuple(actions))

"""The promises about plans: equal views lead to equal plans, and the numbers in them add up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.model import Declared
from reconciler.planning.actions import Create, Hold, Reason
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs import gather

if TYPE_CHECKING:
    from tests.simulation.requests.world import Run


def plan(run: RunContext[Writer], declared: Declared) -> PlannedRun:
    """Plan, and write nothing."""
    return gather.gather(run, declared)


def planning_twice_is_equal(runs: Sequence[Run]) -> Iterator[str]:
    """Any runner with the same place of results and the same ledger makes the same plan."""
    made = [run.planned.plan if run.planned else run.ended for run in runs]
    if made[0] != made[1]:
        yield f"{runs[0].name} and {runs[1].name}: {made[0]} {made[1]}"
    if made[0] != made[2]:
        yield f"{runs[0].name} and {runs[2].name}: {made[0]} {made[2]}"


def states_add_up(run: Run) -> Iterator[str]:
    """What a plan submits, reuses and holds is the number of wanted requests; a hold counts what is not submitted."""
    if run.planned is None:
        yield f"planning ended so: {run.ended}"
        return
    wanted = set(run.spec.questions)
    mine = [it for it in run.views.values() if it.over and it.listed and it.job.recipe == run.spec.recipe]
    known = run.spec.reuse and all(it.complete and it.knows_asked for it in mine)
    place = run.runner.place
    here = all(place.holds(it.job) == it.job.files.keys() for it in mine)
    answered = wanted & {it for view in mine for it in view.answers}
    for create in run.planned.plan.of(Create):
        part = create.part
        if part and part.of != len(wanted):
            yield f"it says {part.of} of {len(wanted)}"
        if part and len(part.places) + part.reused + part.held > part.of:
            yield f"it submits {len(part.places)}, reuses {part.reused} and holds {part.held} of {part.of}"
        if part and known and here and part.reused != len(answered):
            yield f"it reuses {part.reused}, and {len(answered)} are answered"
    for hold in run.planned.plan.of(Hold):
        if hold.reason is Reason.INCOMPLETE and known and here:
            numbers = re.match(r"([\d,]+) of ([\d,]+) requests have no answer", hold.detail)
            left = len(wanted) - len(answered)
            if numbers is None or (int(numbers[1]), int(numbers[2])) != (left, len(wanted)):
                yield f"{left} of {len(wanted)} are left, and the hold says: {hold.detail}"
        if hold.reason is Reason.CANARY_FAILED and known and here:
            asked = {it for view in mine for it in view.job.asked if view.job.stopped_by != "tool"}
            numbers = re.search(r"([\d,]+) not submitted", hold.detail)
            if numbers is None or int(numbers[1]) < len(wanted - asked):
                yield f"{len(wanted - asked)} were never asked, and the hold says: {hold.detail}"

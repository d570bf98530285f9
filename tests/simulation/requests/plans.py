"""The promises about plans: equal views lead to equal plans, and the numbers in them add up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.api.client import Writer
from reconciler.context import RunContext
from reconciler.model import Declared
from reconciler.planning.actions import Create, Hold, Keep, Plan, Reason
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs import gather
from tests.simulation.requests.api import NEVER
from tests.simulation.requests.promises import asked_the_same, is_of_work, lends

if TYPE_CHECKING:
    from tests.simulation.requests.api import AskedJob, Question
    from tests.simulation.requests.specs import Spec
    from tests.simulation.requests.views import View
    from tests.simulation.requests.world import Run


def plan(run: RunContext[Writer], declared: Declared) -> PlannedRun:
    """Plan, and write nothing."""
    return gather.gather(run, declared)


def planning_twice_is_equal(runs: Sequence[Run]) -> Iterator[str]:
    """Any runner with the same place of results and the same ledger makes the same plan at the same moment."""
    first = runs[0]
    for run in runs[1:]:
        same = run.looked == first.looked and _seen(run) == _seen(first)
        if same and run.planned and first.planned and run.planned.plan != first.planned.plan:
            yield f"{first.name} plans {_words(first.planned)}, and {run.name} {_words(run.planned)}"


def _seen(run: Run) -> set[tuple[str, bool]]:
    return {(it.job.id, it.over) for it in run.views.values()}


def _words(planned: PlannedRun) -> str:
    return ", ".join(
        f"{type(it).__name__} {it.reason} {getattr(it, 'detail', '')}"
        for decision in planned.plan.decisions
        for it in decision.actions
    )


def states_add_up(run: Run) -> Iterator[str]:
    """What a plan submits, reuses and holds is the number of wanted requests; a hold counts what is not submitted."""
    if run.planned is None:
        yield f"planning ended so: {run.ended}"
        return
    for spec in run.specs:
        for wrong in _adds_up(run, run.planned.plan, spec):
            yield f"{spec.name}: {wrong}"


def _adds_up(run: Run, plan: Plan, spec: Spec) -> Iterator[str]:
    wanted, decisions = set(spec.questions), [it for it in plan.decisions if it.name == spec.name]
    mine = [it for it in run.views.values() if it.over and it.listed and lends(spec, it.job, run.specs)]
    known = (
        spec.reuse
        and all(it.listed for it in run.views.values())
        and all(it.complete and it.knows_asked for it in mine)
    )
    place = run.runner.place
    here = all(place.holds(it.job) == it.job.files.keys() for it in mine)
    answered = wanted & {it for view in mine for it in view.answers}
    for create in (it for each in decisions for it in each.of(Create)):
        part = create.part
        if part and part.of != len(wanted):
            yield f"it says {part.of} of {len(wanted)}"
        if part and len(part.places) + part.reused + part.held > part.of:
            yield f"it submits {len(part.places)}, reuses {part.reused} and holds {part.held} of {part.of}"
        if part and known and here and part.reused != len(answered):
            yield f"it reuses {part.reused}, and {len(answered)} are answered"
    for hold in (it for each in decisions for it in each.of(Hold)):
        if hold.reason is Reason.INCOMPLETE and known and here:
            numbers = re.match(r"([\d,]+) of ([\d,]+) requests have no answer", hold.detail)
            left = len(wanted) - len(answered)
            if numbers is None or (int(numbers[1]), int(numbers[2])) != (left, len(wanted)):
                yield f"{left} of {len(wanted)} are left, and the hold says: {hold.detail}"
        if hold.reason is Reason.CANARY_FAILED and known and here:
            # What a cancel by the tool left open counts as stopped if the answer to that cancel was lost.
            asked = {it for view in mine for it in view.job.asked}
            numbers = re.search(r"([\d,]+) not submitted", hold.detail)
            if numbers is None or int(numbers[1]) < len(wanted - asked):
                yield f"{len(wanted - asked)} were never asked, and the hold says: {hold.detail}"


def _tried(views: Iterable[View]) -> set[Question]:
    """Return what jobs were asked; of one that the tool cancelled only what has an outcome."""
    return {
        it for view in views for it in (view.outcomes if view.job.stopped_by == "tool" else view.job.asked)
    }


def a_hold_has_a_cause(run: Run) -> Iterator[str]:
    """A hold says what has happened: requests that failed, a person who cancelled, answers that are gone."""
    for decision in run.planned.plan.decisions if run.planned else ():
        for spec in (it for it in run.specs if it.name == decision.name):
            yield from _has_no_cause(run, spec, decision.of(Hold))


def _has_no_cause(run: Run, spec: Spec, holds: Iterable[Hold]) -> Iterator[str]:
    sharing = [
        it for it in run.specs if it.work == spec.work
    ]  # what holds the owner of the work holds the others
    views = [it for it in run.views.values() if any(_counts(each, it.job, run) for each in sharing)]
    answered = {it for view in views for it in view.answers}
    for hold in holds:
        match hold.reason:
            case Reason.INCOMPLETE if all(it.listed and it.complete and it.knows_asked for it in views):
                wrong = bool(set(spec.questions) - answered - _tried(views))
            case Reason.ANSWERS_GONE:
                reused = [int(it.job.tags.get("reused", 0)) for it in views if is_of_work(spec, it.job)]
                wrong = all(map(_is_whole, views)) and max(reused, default=0) <= len(answered)
            case Reason.CANCELLED:  # also by this tool, if the run was killed before it recorded that
                wrong = not any(it.job.stopped_by for it in run.views.values())
            case _:
                wrong = False
        if wrong:
            yield f"{run.name} holds as {hold.reason}: {hold.detail}"


def _counts(spec: Spec, other: AskedJob, run: Run) -> bool:
    return lends(spec, other, run.specs) or asked_the_same(spec, other)


def complete_work_is_kept(run: Run) -> Iterator[str]:
    """What tags and counts of some job say is complete stays so, whatever jobs came later."""
    for decision in run.planned.plan.decisions if run.planned else ():
        for spec in (it for it in run.specs if it.name == decision.name and not it.suspend):
            kept = any(it.reason in (Reason.SUCCEEDED, Reason.SAME_WORK) for it in decision.of(Keep))
            whole = [
                it
                for it in run.views.values()
                if it.job.spec.work == spec.work and _completes(it, run.planned_on)
            ]
            if whole and not kept:
                yield f"{whole[0].job.id[:8]} completes {spec.name}, and the plan says {decision.actions}"


def _completes(view: View, when: float) -> bool:
    job, shown = view.job, view.job.shown(when)
    of, reused = int(job.tags.get("of", len(job.asked))), int(job.tags.get("reused", 0))
    counted = shown.output_file is not None and reused + (shown.succeeded_requests or 0) >= of
    return view.listed and view.over and job.status == "SUCCESS" and counted


def _is_whole(view: View) -> bool:
    """Whether nothing about a job is lost, or unknown to the run."""
    job = view.job
    gone = any(it.gone_from < NEVER for it in job.files.values())
    without_files = job.status == "SUCCESS" and not job.files
    return view.listed and view.knows_asked and not gone and not without_files

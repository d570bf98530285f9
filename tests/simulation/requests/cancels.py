"""The promises about cancels: what is wanted is cancelled only as a duplicate, and other work as `on_change` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.planning.actions import Cancel, Hold, Reason
from tests.simulation.requests.api import OUTPUT, AskedJob, Question
from tests.simulation.requests.promises import is_of_work, lends

if TYPE_CHECKING:
    from tests.simulation.requests.specs import Spec
    from tests.simulation.requests.views import View
    from tests.simulation.requests.world import Run, World


@dataclass(frozen=True)
class Cancelled:
    """A cancel that the API has just received."""

    world: World
    job: AskedJob
    by: Run


Promise: TypeAlias = Callable[[Cancelled], Iterator[str]]


def owners(run: Run, job: AskedJob) -> list[Spec]:
    """Return the specs that a job belongs to: those that want its work, or else that with its name."""
    wanting = [it for it in run.specs if is_of_work(it, job)]
    return wanting or [it for it in run.specs if it.name == job.name]


def what_is_wanted_is_cancelled_only_as_a_duplicate(cancel: Cancelled) -> Iterator[str]:
    """A job of wanted work is cancelled if all specs that want it are suspended, or if another job of it stays."""
    job = cancel.job
    wanting = [it for it in owners(cancel.by, job) if is_of_work(it, job)]
    if wanting and not all(it.suspend for it in wanting) and not _twins(cancel.world, job):
        yield "it is wanted, and no other job does its work"


def _twins(world: World, job: AskedJob) -> list[AskedJob]:
    """Return the other jobs of the same work that are live, or have succeeded."""
    return [
        it
        for it in world.api.jobs.values()
        if it is not job
        and (it.spec.work == job.spec.work or is_of_work(it.spec, job))
        and (it.live or (it.status == "SUCCESS" and (it.whole or job.whole or _answers_all(it.spec, world))))
    ]


def _answers_all(spec: Spec, world: World) -> bool:
    jobs = [it for it in world.api.jobs.values() if it.recipe == spec.recipe]
    return set(spec.questions) <= {it for job in jobs for it in job.answers()}


def other_work_is_cancelled_as_on_change_says(cancel: Cancelled) -> Iterator[str]:
    """A job of other work is never cancelled under another rerun or with `finish`, and with `auto` if half is open."""
    job, run = cancel.job, cancel.by
    belongs = owners(run, job)
    if not belongs:
        if job.spec.on_remove == "keep" and not _twins(cancel.world, job):
            yield "nothing declares it, and it said `on_remove: keep`"
        return
    spec, view = belongs[0], run.views.get(job.id)
    if spec.suspend or is_of_work(spec, job) or _twins(cancel.world, job):
        return
    if job.recipe[-1] != spec.rerun:
        yield "it has another rerun"
    elif run.agreed is not None:
        yield "the run only waits and goes on"
    elif spec.on_change == "finish":
        yield "the spec says `on_change: finish`"
    elif spec.on_change == "auto" and view is not None and must_end_first(run, spec, view):
        yield "at least half of what it was asked is wanted and open"


def must_end_first(run: Run, spec: Spec, view: View) -> bool:
    """Return whether `auto` lets a live job end, by all that the run could know at most."""
    if not lends(spec, view.job, run.specs) or _is_under_way(run, spec):
        return False
    answered = {it for each in _lenders(run, spec) for it in _answered_at_most(each)}
    return not view.knows_asked or _is_half(
        _open(view.job, spec, answered.union(*(it.asked for it in _older(run, spec, view)))), view.job
    )


def must_be_replaced(run: Run, spec: Spec, view: View) -> bool:
    """Return whether `auto` replaces a live job, by all that the run knew at least."""
    job, place = view.job, run.runner.place
    if not lends(spec, job, run.specs):
        return True
    if not place.has_index(job):
        return False
    answered = {
        it for each in _lenders(run, spec) if OUTPUT in place.holds(each.job) for it in each.job.answers()
    }
    known = (it.asked for it in _older(run, spec, view) if place.has_index(it))
    return not _is_half(_open(job, spec, answered.union(*known)), job)


def _is_under_way(run: Run, spec: Spec) -> bool:
    """Return whether a job of the wanted work is live or has succeeded."""
    mine = [it for it in run.views.values() if is_of_work(spec, it.job)]
    return any(it.job.live or it.job.status == "SUCCESS" for it in mine)


def _lenders(run: Run, spec: Spec) -> list[View]:
    return [it for it in run.views.values() if lends(spec, it.job, run.specs)]


def _answered_at_most(view: View) -> Iterable[Question]:
    return view.job.asked if view.counted_whole else view.answers


def _older(run: Run, spec: Spec, view: View) -> list[AskedJob]:
    """Return the older live jobs that may answer."""
    return [it.job for it in _lenders(run, spec) if it.live and it.job.age < view.job.age]


def _open(job: AskedJob, spec: Spec, taken: set[Question]) -> int:
    """Return how many requests of a job are wanted and not taken."""
    return len(set(job.asked) & set(spec.questions) - taken)


def _is_half(number: int, job: AskedJob) -> bool:
    return number > 0 and len(job.asked) <= 2 * number


OF_A_CANCEL: Final[tuple[Promise, ...]] = (
    what_is_wanted_is_cancelled_only_as_a_duplicate,
    other_work_is_cancelled_as_on_change_says,
)


def other_work_is_replaced_as_on_change_says(run: Run) -> Iterator[str]:
    """A plan cancels a live job of other work with `replace`, and with `auto` if less than half of it is open.

    It does not if a spec that wants the same work lists the name of the job in `reuse`: that one lets the job end.
    """
    if run.planned is None:
        return
    plan = run.planned.plan
    undecided = {it.name for it in plan.decisions for hold in it.of(Hold) if hold.reason in _UNDECIDED}
    cancelled = {it.owned.job.id for it in plan.of(Cancel)}
    for view in run.views.values():
        belongs = owners(run, view.job)
        if not view.job.live or not belongs or is_of_work(belongs[0], view.job) or belongs[0].suspend:
            continue
        spec = belongs[0]
        if spec.name in undecided or view.job.recipe[-1] != spec.rerun or spec.on_change == "finish":
            continue
        if any(it.work == spec.work and view.job.name in it.lending and it is not spec for it in run.specs):
            continue
        must = spec.on_change == "replace" or must_be_replaced(run, spec, view)
        if must and view.job.id not in cancelled:
            yield f"{view.job.id[:8]} is not cancelled, and the spec says {spec.on_change}"


_UNDECIDED: Final = (Reason.UNSETTLED, Reason.STOPPING)

"""The promises about requests, one named function each. They ask the truth in `api`, and yield what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.planning.actions import Create
from tests.simulation.requests.api import AskedJob, Question

if TYPE_CHECKING:
    from tests.simulation.requests.specs import Spec
    from tests.simulation.requests.views import View
    from tests.simulation.requests.world import Run, World


@dataclass(frozen=True)
class Accepted:
    """A create that the API has just accepted."""

    world: World
    job: AskedJob
    by: Run

    def donors(self) -> Iterator[View]:
        """Yield what the run knew of the jobs whose outcomes count for what it asks now."""
        found = [it for it in self.by.views.values() if it.job is not self.job and self._lends(it.job)]
        listed = {it.job.work for it in found if it.listed}
        names = {self.spec.name, *self.spec.lending, *self._lent_before()}
        for view in found if listed else ():  # otherwise nothing shows that a job existed
            # Only the tags of a job show that it did the same work in another order, or under another name.
            here = self.spec.reuse or view.job.work in listed | {self.job.work}
            if view.listed or (here and view.job.name in names):
                yield view

    @property
    def spec(self) -> Spec:
        """What the checkout says about its name."""
        return self.by.spec(self.job.name)

    @cached_property
    def _listed(self) -> Sequence[AskedJob]:
        return [it.job for it in self.by.views.values() if it.listed]

    def _lends(self, other: AskedJob) -> bool:
        return lends(self.spec, other, self.by.specs, self._listed)

    def _lent_before(self) -> Iterator[str]:
        return _lent_before(self.spec, self._listed, {it.name for it in self.by.specs})

    def failures(self) -> Iterator[View]:
        """Yield the donors whose failures count.

        If no job shows results, whole jobs decide: then a changed work begins anew. A run cannot count what it does not
        know: which requests of other work failed if they were in the spec itself, and their index is elsewhere.
        """
        donors = [it for it in self.donors() if it.over and it.listed]
        by_request = any(it.shows_results or not it.job.whole for it in donors) or self.spec.canary
        for view in donors:
            if view.job.work == self.job.work or (by_request and view.knows_asked):
                yield view


def lends(
    spec: Spec, other: AskedJob, specs: Sequence[Spec], listed: Iterable[AskedJob] | None = None
) -> bool:
    """Return whether outcomes of a job count for a spec, one of those of a checkout.

    They do if recipe and rerun are equal, and if it did the same work, or if it has the spec's name or one that `reuse`
    names, or belongs to a spec of such a name, or has a name that lent its answers before, by one of the `listed` jobs.
    """
    if other.recipe != spec.recipe:
        return False
    taken = any(it.work == other.spec.work for it in specs if it.name != spec.name)
    if other.spec.work == spec.work or (is_of_work(spec, other) and not taken):
        return True
    belongs = {it.name for it in specs if it.work == other.spec.work}
    known = other.api.jobs.values() if listed is None else listed
    before = _lent_before(spec, known, {it.name for it in specs})
    return not {other.name, *belongs}.isdisjoint((*spec.lending, *before))


def _lent_before(spec: Spec, jobs: Iterable[AskedJob], names: Collection[str]) -> Iterator[str]:
    """Yield the names whose answers counted when jobs of the work were created: also its own, if it was renamed."""
    of_work = sorted((job for job in jobs if job.spec.work == spec.work), key=lambda it: it.age)
    counts = spec.reuse or any("reused" in it.tags and it.tags["attempt"] == "1" for it in of_work[:1])
    for job in of_work:
        yield from filter(None, job.tags.get("lenders", "").split(","))
        if counts and ("reused" in job.tags or job.name not in names):
            yield job.name


def is_of_work(spec: Spec, other: AskedJob) -> bool:
    """Return whether a job did the work of a spec: the same inputs, or under its name the same requests."""
    same = other.name == spec.name and set(other.spec.questions) == set(spec.questions)
    return other.spec.work == spec.work or (same and other.recipe == spec.recipe)


Promise: TypeAlias = Callable[[Accepted], Iterator[str]]


def no_request_in_two_open_or_live_jobs_of_a_name(create: Accepted) -> Iterator[str]:
    """While a job is live, or perhaps on its way, no other job is asked what it was asked."""
    spec = create.spec
    for other in create.world.api.jobs.values():
        if other is create.job or other.over or not lends(spec, other, create.by.specs):
            continue
        for both in sorted(set(other.asked) & set(create.job.asked)):
            yield f"{both.custom_id} is in {other.id[:8]}, {other.status}"


def nothing_answered_is_submitted_again(create: Accepted) -> Iterator[str]:
    """No request with an answer that the runner could read is in a new job."""
    donors = list(create.donors())
    for view in donors:
        for again in sorted(view.answers & set(create.job.asked)):
            other = (
                view.job.work != create.job.work
            )  # then only the index of its requests shows that it counts
            if not (_nobody_knew(view) and (other or any(_follows(later, view, again) for later in donors))):
                yield f"{again.custom_id} was answered by {view.job.id[:8]}"


def _nobody_knew(view: View) -> bool:
    """Return whether the record of a job is deleted, and nothing else says what it was asked."""
    return not view.listed and not view.knows_asked


def _follows(later: View, view: View, asked: Question) -> bool:
    """Return whether a job was asked a request when nothing showed the deleted one: the new job only retries it."""
    return later.listed and later.job.at >= view.job.deleted_at and asked in later.job.asked


def an_end_settles(create: Accepted) -> Iterator[str]:
    """No request is judged before all lines of its job can be read, or the late time is over."""
    world = create.world
    for view in create.donors():
        ended = int(view.job.ended) if view.over else 0  # the API shows whole seconds
        waits = view.over and view.listed and create.by.looked < ended + world.limits.late_seconds
        for early in sorted(set(view.job.asked) & set(create.job.asked)):
            if waits and not view.complete and early not in view.outcomes:
                yield f"{early.custom_id} was asked in {view.job.id[:8]}, whose files are not complete"


def fails_at_most_max_attempts_times(create: Accepted) -> Iterator[str]:
    """No request is asked again that has failed `max_attempts` times under one rerun. A cancel is no attempt."""
    cap = create.spec.cap
    for asked in create.job.asked:
        failed = [
            view.job.id[:8]
            for view in create.failures()
            if view.job.status != "CANCELLED" and asked in view.job.asked and asked not in view.job.answers()
        ]
        if len(failed) >= cap:
            yield f"{asked.custom_id} failed in {', '.join(failed)}: {len(failed)} times of {cap}"


def only_failures_that_may_be_retried_are_submitted_again(create: Accepted) -> Iterator[str]:
    """What failed in a way that `retry.on` does not name stays failed, unless the cap was raised or a job cancelled."""
    for asked in create.job.asked:
        ended = [it for it in create.failures() if asked in it.job.asked]
        last = max(ended, key=lambda it: it.job.age, default=None)
        if last is None or last.job.status == "CANCELLED":
            continue
        kind = last.kind(asked)
        if kind and not create.spec.retries(kind):
            yield f"{asked.custom_id} failed as {kind} in {last.job.id[:8]}"


def an_edit_undoes_no_persons_cancel(create: Accepted) -> Iterator[str]:
    """What was last asked in a job that a person cancelled is not submitted again, unless the cap was raised since."""
    for asked in create.job.asked:
        mine = [it for it in create.donors() if asked in it.job.asked and it.listed]
        last = max(mine, key=lambda it: it.job.age, default=None)
        if last is None or not last.over or last.job.stopped_by != "person":
            continue
        if create.spec.cap <= last.job.cap:
            yield f"{asked.custom_id} was last asked in {last.job.id[:8]}, which a person cancelled"


def the_rest_of_a_canary_waits_for_its_checks(create: Accepted) -> Iterator[str]:
    """Until enough wanted requests have an outcome, and these pass the checks, no more than the canary is submitted.

    What a person stopped has none.
    """
    spec = create.spec
    if not spec.canary or any(not it.listed for it in create.by.views.values()):
        return  # what the pulled results of a deleted job lack may have been answered
    wanted, asked = set(spec.questions), set(create.job.asked)
    known: dict[Question, bool] = {}
    for view in sorted(create.donors(), key=lambda it: it.job.age):
        if not view.over or not (view.knows_asked or view.job.work == create.job.work):
            continue
        stopped = view.job.stopped_by == "person" and spec.cap <= view.job.cap
        for it in set(view.job.asked) & wanted:
            answered = it in view.answers or view.counted_whole or known.get(it, False)
            if stopped and not answered:
                known.pop(it, None)
            elif answered or view.job.status != "CANCELLED" or it in view.outcomes:
                known[it] = answered
    fresh = asked - known.keys()
    failed = sum(not answered for answered in known.values())
    if len(known) < spec.canary and len(fresh) > spec.canary - len(known):
        yield f"{len(fresh)} new requests, and {len(known)} of {spec.canary} have an outcome"
    elif len(known) >= spec.canary and fresh and failed > spec.failed * len(known):
        yield f"{len(fresh)} new requests, and {failed} of {len(known)} have failed"


def only_what_is_wanted_is_submitted(create: Accepted) -> Iterator[str]:
    """A job is asked requests of the checkout, each once."""
    asked = create.job.asked
    if len(set(asked)) < len(asked):
        yield "it asks a request twice"
    if not set(asked) <= set(create.spec.questions):
        yield "it asks what is not wanted"
    if create.spec.suspend:
        yield "the spec is suspended"


def a_part_says_what_is_left(create: Accepted) -> Iterator[str]:
    """The tags of a part count the wanted requests, and those whose answers are in the place of results."""
    job, spec = create.job, create.spec
    of, reused = int(job.tags.get("of", len(spec.want))), int(job.tags.get("reused", 0))
    if of != len(spec.want):
        yield f"it says {of} of {len(spec.want)}"
    there = [create.world.api.jobs[it] for it in create.by.had_answers]
    lending = (it for it in there if it.recipe == spec.recipe and (spec.reuse or _of_work(create, it)))
    answered = {it for other in lending for it in other.answers()}
    if reused > len(answered & set(spec.questions)):
        yield f"it says that {reused} are answered, and the place of results has {len(answered)} answers"


def a_part_fits_into_one_job(create: Accepted) -> Iterator[str]:
    """A job is asked no more requests than one job may have, and no file is too large, unless a request alone is."""
    world, job = create.world, create.job
    if len(job.asked) > world.limits.requests_per_job:
        yield f"it asks {len(job.asked)} requests"
    for content in (world.api.uploads[it][1] for it in job.body.input_files):
        if len(content) > world.limits.file_bytes and content.count(b"custom_id") > 1:
            yield f"a file of it has {len(content)} bytes"


def _of_work(create: Accepted, other: AskedJob) -> bool:
    """Return whether answers of a job are those of the work, or count because it began with them."""
    return lends(create.spec, other, create.by.specs) or asked_the_same(create.spec, other)


def asked_the_same(spec: Spec, other: AskedJob) -> bool:
    """Return whether a job is of work with the same requests; under another name it may count."""
    return other.recipe == spec.recipe and set(other.spec.questions) == set(spec.questions)


def a_later_round_submits_no_more_than_was_shown(create: Accepted) -> Iterator[str]:
    """In all rounds of a run, no more requests of a work are submitted than its first plan says may follow."""
    run, job = create.by, create.job
    shown = run.agreed.plan.of(Create) if run.agreed else ()
    for most in (it.in_all for it in shown if it.spec.name == job.name and it.in_all is not None):
        jobs = (it for it in create.world.api.jobs.values() if it.by is run and it.name == job.name)
        asked = {it for each in jobs for it in each.asked}
        if len(asked) > most:
            yield f"the first plan showed {most}, and it submitted {len(asked)}"


OF_A_CREATE: Final[tuple[Promise, ...]] = (
    no_request_in_two_open_or_live_jobs_of_a_name,
    nothing_answered_is_submitted_again,
    an_end_settles,
    fails_at_most_max_attempts_times,
    only_failures_that_may_be_retried_are_submitted_again,
    an_edit_undoes_no_persons_cancel,
    the_rest_of_a_canary_waits_for_its_checks,
    only_what_is_wanted_is_submitted,
    a_part_says_what_is_left,
    a_part_fits_into_one_job,
    a_later_round_submits_no_more_than_was_shown,
)

"""After the creates: the list shows them, and twins of two runners become one."""

from __future__ import annotations

import pytest
from msgspec import structs

from reconciler.api.errors import NotFoundError, OutcomeUnknownError
from reconciler.execution.after_create import own_duplicates, until_listed
from reconciler.ledger.memory import Memory
from reconciler.model import Job, JobSpec, Observed, Phase
from reconciler.planning.actions import Cancel, Plan
from reconciler.planning.planner import plan
from reconciler.plans.outcomes import Cancelled, Created, Outcome
from tests.helpers.fakes import Api, Row, Stage, run
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    NOW,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    broken,
    declared,
    job,
    op_of,
    seen,
    spec,
)

A = spec("a")


def made(it: Job) -> Created:
    return Created(name="a", job=it, op=op_of(it.id), recovered=False)


class Looking:
    """Reads the list of an API, as often as it is called."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.times = 0

    def __call__(self) -> Observed:
        self.times += 1
        return seen((A,), *self.api.list_jobs(page=0).jobs)


def lagging(*lags: float) -> tuple[Api, list[Outcome], Looking]:
    api = Api(Stage())
    for at, seconds in enumerate(lags):
        api.rows.append(Row(job(A, f"j{at}", age=0), listed_at=NOW + seconds))
    return api, [made(row.job) for row in api.rows], Looking(api)


def test_a_list_that_shows_everything_is_read_once() -> None:
    api, outcomes, look = lagging(0, 0)
    settled = until_listed(run(api), look, outcomes)
    assert api.stage.log.of("jobs.not_listed_yet") == []
    assert len(settled.owned) == 2
    assert (look.times, api.stage.clock.slept) == (1, [])


def test_a_list_that_lags_is_waited_for_in_growing_steps() -> None:
    api, outcomes, look = lagging(0, 20)
    settled = until_listed(run(api), look, outcomes)
    assert api.stage.log.of("jobs.not_listed_yet") == []
    assert len(settled.owned) == 2
    assert api.stage.clock.slept == [0.5, 1, 2, 4, 8, 8]


def test_a_list_that_never_shows_a_job_is_waited_for_no_longer_than_the_settle_time() -> None:
    api, outcomes, look = lagging(0, 10_000)
    until_listed(run(api), look, outcomes)
    assert api.stage.log.of("jobs.not_listed_yet") == [{"job_ids": ["j1"]}]
    assert sum(api.stage.clock.slept) == 60
    assert api.stage.log.of("jobs.not_listed_yet") == [{"job_ids": ["j1"]}]


def test_without_a_settle_time_one_look_is_enough() -> None:
    api, outcomes, look = lagging(5)
    until_listed(run(api, settle=0), look, outcomes)
    assert api.stage.log.of("jobs.not_listed_yet") == [{"job_ids": ["j0"]}]
    assert (look.times, api.stage.clock.slept) == (1, [])


def test_the_wish_to_stop_ends_the_waiting() -> None:
    api, outcomes, look = lagging(30)
    api.stage.clock.wakes = [lambda: setattr(api.stage.stop, "up", True)]
    until_listed(run(api), look, outcomes)
    assert api.stage.log.of("jobs.not_listed_yet") == [{"job_ids": ["j0"]}]
    assert look.times == 2


def test_only_what_was_created_is_waited_for() -> None:
    api, _, look = lagging(30)
    outcomes: list[Outcome] = [Cancelled(name="a", job=api.jobs[0])]
    until_listed(run(api), look, outcomes)
    assert api.stage.log.of("jobs.not_listed_yet") == []
    assert look.times == 1


def test_a_job_that_shows_with_unreadable_tags_shows() -> None:
    api = Api(Stage(), broken(A, "j0", age=0))
    until_listed(run(api), Looking(api), [made(job(A, "j0"))])
    assert api.stage.log.of("jobs.not_listed_yet") == []


def test_a_list_that_cannot_be_read_is_an_error() -> None:
    api, outcomes, look = lagging(30)
    api.list_faults = [OutcomeUnknownError("502", status=502)]
    with pytest.raises(OutcomeUnknownError):
        until_listed(run(api), look, outcomes)


# Twins.


def decided(*jobs: Job, specs: tuple[JobSpec, ...] = (A,)) -> Plan:
    return plan(declared(*specs), seen(specs, *jobs), Memory(), now=NOW)


def cancelled(plan: Plan) -> list[str]:
    return [cancel.owned.job.id for cancel in plan.of(Cancel)]


OLDER, MINE, OTHERS = job(A, "j1", age=900), job(A, "j2"), job(A, "j3")


def test_of_twins_each_run_cancels_its_own_younger_one() -> None:
    twins = decided(OLDER, MINE, OTHERS)
    api = Api(Stage(), OLDER, MINE, OTHERS)
    assert cancelled(own_duplicates(twins, [made(MINE)], api)) == ["j2"]
    assert cancelled(own_duplicates(twins, [made(OTHERS)], api)) == ["j3"]
    assert cancelled(own_duplicates(twins, [made(MINE), made(OTHERS)], api)) == ["j2", "j3"]


def test_the_older_twin_is_nobodys_duplicate() -> None:
    api = Api(Stage(), OLDER, MINE)
    assert cancelled(own_duplicates(decided(OLDER, MINE), [made(OLDER)], api)) == []
    assert api.trace == []


def test_twins_that_this_run_did_not_make_are_left_to_the_next_plan() -> None:
    assert cancelled(own_duplicates(decided(OLDER, MINE), [], Api(Stage(), OLDER, MINE))) == []


def test_nothing_but_duplicates_is_cancelled_then() -> None:
    other = job(spec("gone", "w9"), "j9")
    replaced = job(spec("a", "w0"), "j8")
    again = decided(OLDER, MINE, other, replaced)
    assert len(again.of(Cancel)) == 3
    api = Api(Stage(), OLDER, MINE, other, replaced)
    outcomes = [made(it) for it in (MINE, other, replaced)]
    assert cancelled(own_duplicates(again, outcomes, api)) == ["j2"]


@pytest.mark.parametrize(("phase", "stays"), [(ACTIVE, True), (SUCCEEDED, True)])
def test_the_twin_that_stays_is_looked_at_once_more(phase: Phase, *, stays: bool) -> None:
    api = Api(Stage(), OLDER, MINE)
    again = decided(OLDER, MINE)
    api.end("j1", phase)
    assert bool(cancelled(own_duplicates(again, [made(MINE)], api))) is stays
    assert api.sent("get") == ["get j1"]


@pytest.mark.parametrize("phase", [FAILED, TIMED_OUT, CANCELLED, STOPPING])
def test_a_duplicate_runs_on_if_its_twin_failed(phase: Phase) -> None:
    api = Api(Stage(), OLDER, MINE)
    again = decided(OLDER, MINE)
    api.end("j1", phase)
    assert cancelled(own_duplicates(again, [made(MINE)], api)) == []


def test_a_duplicate_runs_on_if_its_twin_is_gone() -> None:
    with pytest.raises(NotFoundError):
        own_duplicates(decided(OLDER, MINE), [made(MINE)], Api(Stage(), MINE))


def test_a_duplicate_runs_on_if_only_other_work_of_the_name_is_alive() -> None:
    finishing = spec("a", on_change="finish")
    other = job(spec("a", "w0"), "j8")
    again = decided(OLDER, MINE, other, specs=(finishing,))
    api = Api(Stage(), OLDER, MINE, other)
    api.end("j1", FAILED)
    assert cancelled(own_duplicates(again, [made(MINE)], api)) == []


def test_a_plan_without_creates_has_no_duplicates_of_this_run() -> None:
    assert own_duplicates(decided(structs.replace(OLDER)), [], Api(Stage())).decisions == ()

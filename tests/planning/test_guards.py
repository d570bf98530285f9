"""Guards: each just under its limit, at it and just over it."""

from __future__ import annotations

import pytest
from msgspec import structs

from reconciler.ledger.lines import CreateConfirmed, Line
from reconciler.model import Job, JobSpec, Phase
from reconciler.planning import guards
from reconciler.planning.actions import Cancel, Create
from reconciler.planning.budgets import BUDGETS
from reconciler.planning.guard_input import GuardInput, Refusal
from reconciler.planning.guards import GUARDS, refusals
from reconciler.planning.planner import plan
from reconciler.planning.work import Work
from reconciler.settings import Guards
from tests.helpers.donors import ended as donor
from tests.helpers.donors import letters, work
from tests.helpers.make import (
    ACTIVE,
    CANCELLED,
    FAILED,
    NOW,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    UNKNOWN,
    broken,
    created,
    declared,
    ended,
    file_of,
    hidden,
    job,
    memory,
    retrying,
    seen,
    spec,
)

A = spec("a")


def proposal(
    *jobs: Job,
    specs: tuple[JobSpec, ...] = (A,),
    settings: Guards = Guards(max_cancels=1000, max_cancel_share=1.0),  # noqa: B008 -- frozen
    lines: tuple[Line, ...] = (),
    gone: tuple[str, ...] = (),
) -> GuardInput:
    asked, remembered = declared(*specs), memory(*lines)
    observed = structs.replace(seen(specs, *jobs, gone=gone), read_started_at=NOW)
    return GuardInput(
        plan=plan(asked, observed, remembered, now=NOW),
        declared=asked,
        observed=observed,
        memory=remembered,
        settings=settings,
    )


def names(weighed: GuardInput) -> list[str]:
    return [refusal.guard for refusal in refusals(weighed)]


def known(of: JobSpec, job_id: str, *, age: float = 3_600) -> CreateConfirmed:
    """A job that the ledger of this host saw created so many seconds before the list was read."""
    return created(of, job_id, at=NOW - age)


def running(count: int, *, of: str = "old", answered: int = 0) -> tuple[Job, ...]:
    """Live jobs, each of a name without a spec."""
    return tuple(
        job(spec(f"{of}{at}", f"{of}{at}"), f"{of}-{at}", completed_requests=answered) for at in range(count)
    )


def kept(count: int) -> tuple[tuple[JobSpec, ...], tuple[Job, ...]]:
    """Declared names with a live job each."""
    specs = tuple(spec(f"kept{at}", f"kept{at}") for at in range(count))
    return specs, tuple(job(it, f"kept-{at}") for at, it in enumerate(specs))


def test_an_ordinary_plan_is_not_refused() -> None:
    assert refusals(proposal()) == ()


def test_every_guard_has_its_own_name() -> None:
    every = (*GUARDS, *BUDGETS)
    assert len({guard.__name__ for guard in every}) == len(every) == 14


# Nothing is declared.


def test_declaring_nothing_is_refused_while_a_job_is_active() -> None:
    (refusal,) = refusals(proposal(*running(2), specs=()))
    assert refusal == Refusal(
        guard="empty",
        message="nothing is declared while 2 of our jobs are active",
        hint="if everything is to be cancelled, pass --allow-empty, or set guards.allow_empty",
        held=("old0", "old1"),
    )


def test_declaring_one_spec_is_not_declaring_nothing() -> None:
    assert names(proposal(*running(2))) == []


def test_declaring_nothing_is_allowed_with_the_option() -> None:
    assert names(proposal(*running(2), specs=(), settings=Guards(allow_empty=True))) == []


def test_declaring_nothing_is_allowed_if_nothing_runs() -> None:
    assert names(proposal(job(A, "j1", SUCCEEDED), specs=())) == []


# How many cancels.


@pytest.mark.parametrize(("count", "refused"), [(9, False), (10, False), (11, True)])
def test_more_cancels_than_the_limit_are_refused(count: int, *, refused: bool) -> None:
    weighed = proposal(*running(count), settings=Guards(max_cancel_share=1.0))
    assert names(weighed) == ["max_cancels"] * refused


def test_too_many_cancels_are_reported_with_their_number() -> None:
    (refusal,) = refusals(proposal(*running(11), settings=Guards(max_cancel_share=1.0)))
    assert refusal.message == "the plan cancels 11 jobs, more than 10"
    assert refusal.hint == "pass --max-cancels 11, or raise guards.max_cancels"


def test_a_limit_of_no_cancels_refuses_the_first() -> None:
    assert names(proposal(*running(1), settings=Guards(max_cancels=0))) == ["max_cancels"]


# Which share of what is active.


@pytest.mark.parametrize(
    ("cancels", "stay", "refused"),
    [
        (2, 0, False),  # all of what is active, and so few that the share says nothing
        (3, 4, False),
        (3, 3, False),  # exactly half
        (4, 3, True),
        (3, 2, True),
        (3, 0, True),
    ],
)
def test_a_large_share_of_what_is_active_is_refused(cancels: int, stay: int, *, refused: bool) -> None:
    specs, jobs = kept(stay)
    weighed = proposal(*running(cancels), *jobs, specs=(A, *specs), settings=Guards())
    assert names(weighed) == ["max_cancel_share"] * refused


def test_only_active_jobs_make_the_share() -> None:
    idle = tuple(
        job(spec("idle"), f"i{at}", phase)
        for at, phase in enumerate((SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, STOPPING, UNKNOWN))
    )
    assert names(proposal(*running(3), *idle, settings=Guards())) == ["max_cancel_share"]


def test_jobs_from_another_folder_are_no_part_of_the_share() -> None:
    theirs = [job(spec(f"theirs-{at}"), f"t{at}", root="other") for at in range(20)]
    assert names(proposal(*running(3), *theirs, settings=Guards())) == ["max_cancel_share"]


def test_a_share_of_one_allows_everything() -> None:
    assert names(proposal(*running(5), settings=Guards(max_cancel_share=1.0))) == []


# The limit on new requests.


@pytest.mark.parametrize(
    ("limit", "refused"), [(11, False), (10, False), (9, True), (0, True), (None, False)]
)
def test_more_new_requests_than_the_budget_are_refused(limit: int | None, *, refused: bool) -> None:
    assert names(proposal(settings=Guards(max_new_requests=limit))) == ["max_new_requests"] * refused


def test_the_requests_of_all_creates_are_one_sum() -> None:
    specs = (A, spec("b", inputs=(file_of("x", requests=5), file_of("y", requests=6))))
    (refusal,) = refusals(proposal(specs=specs, settings=Guards(max_new_requests=20)))
    assert refusal.message == "the plan submits 21 requests, more than 20"
    assert refusal.hint == "pass --max-new-requests 21, or raise guards.max_new_requests"


def test_an_unknown_number_of_requests_is_over_every_budget() -> None:
    (refusal,) = refusals(proposal(specs=(A, hidden("b")), settings=Guards(max_new_requests=10**9)))
    assert (
        refusal.message == "the plan submits 10 requests and 1 job of unknown size, more than 1,000,000,000"
    )
    assert refusal.hint == "pass --max-new-requests none, or set guards.max_new_requests to null"


def test_what_is_created_already_is_not_in_the_budget() -> None:
    b = spec("b", "w2")
    assert names(proposal(job(A), specs=(A, b), settings=Guards(max_new_requests=10))) == []


def in_parts(part: tuple[int, int, int], *works: Work, canary: int = 2, age: int = 600) -> GuardInput:
    """The next part of a work of eight requests, of which a job was asked a part, if any was."""
    of = spec("a", canary=canary, retry=retrying(2), inputs=(file_of("w1", requests=8),))
    jobs = (job(of, "j1", SUCCEEDED, part=part, age=age),) if part[0] else ()
    asked, observed = declared(of), seen((of,), *jobs)
    made = plan(asked, observed, memory(), works={"a": works[0]}, now=NOW)
    return GuardInput(
        plan=made, declared=asked, observed=observed, memory=memory(), settings=Guards(), now=NOW
    )


CANARY = in_parts((0, 8, 0), work("abcdefgh", canary=2))
REST = in_parts((2, 8, 0), work("abcdefgh", donor("j1", letters(ab="")), canary=2))
RETRY = in_parts((6, 8, 2), work("abcdefgh", donor("j1", letters(abcdef="", gh="missing"))))


@pytest.mark.parametrize(("weighed", "submits", "counted"), [(CANARY, 2, 8), (REST, 6, 0), (RETRY, 2, 2)])
def test_a_canary_is_counted_with_its_rest_which_is_not_counted_again(
    weighed: GuardInput, submits: int, counted: int
) -> None:
    assert [it.requests for it in weighed.plan.of(Create)] == [submits]
    assert weighed.requests == counted
    for limit in (counted - 1, counted):
        if limit >= 0:
            limited = structs.replace(weighed, settings=Guards(max_new_requests=limit))
            assert names(limited) == ["max_new_requests"] * (limit < counted)


def test_a_refused_canary_says_how_many_requests_would_follow() -> None:
    (refusal,) = refusals(structs.replace(CANARY, settings=Guards(max_new_requests=7)))
    assert refusal.message == "the plan submits 8 requests in all, more than 7"
    assert refusal.held == ("a",)


def test_the_rest_of_a_canary_is_counted_in_the_day_of_its_canary() -> None:
    assert REST.submitted_today == 8
    assert in_parts((6, 8, 2), work("abcdefgh", donor("j1", letters(abcdefgh="")))).submitted_today == 6
    yesterday = in_parts((2, 8, 0), work("abcdefgh", donor("j1", letters(ab="")), canary=2), age=100_000)
    assert (yesterday.submitted_today, yesterday.requests) == (0, 0)


@pytest.mark.parametrize(
    "limit",
    [
        {"max_cancels": 1},
        {"max_cancel_share": 0.5},
        {"max_lost_answers": 1},
        {"max_new_requests": 1},
        {"max_requests_per_day": 1},
    ],
)
def test_the_hint_about_a_limit_that_is_set_is_to_raise_it(limit: dict[str, float]) -> None:
    settings = Guards(**{"max_cancels": 1000, "max_cancel_share": 1.0} | limit)  # type: ignore[arg-type]
    (refusal,) = refusals(proposal(*running(4, answered=9), settings=settings))
    assert refusal.hint.endswith(f", or raise guards.{refusal.guard}")


# How many answers are lost.


@pytest.mark.parametrize(("answered", "refused"), [(4_999, False), (5_000, False), (5_001, True)])
def test_losing_more_answers_than_the_limit_is_refused(answered: int, *, refused: bool) -> None:
    weighed = proposal(*running(2, answered=answered))
    assert names(weighed) == ["max_lost_answers"] * refused


def test_lost_answers_are_reported_with_their_number() -> None:
    (refusal,) = refusals(proposal(*running(2, answered=6_000)))
    assert refusal.message == "the plan cancels jobs that have answered 12,000 requests, more than 10,000"
    assert refusal.hint == "pass --max-lost-answers 12000, or raise guards.max_lost_answers"


# Another workspace.


def test_a_workspace_that_shows_none_of_the_remembered_jobs_is_refused() -> None:
    lines = (known(spec("x", "w8"), "g1"), known(spec("y", "w9"), "g2"))
    (refusal,) = refusals(proposal(lines=lines))
    assert refusal.guard == "other_workspace"
    assert "none of the 2 jobs" in refusal.message
    assert "--allow-other-workspace" in refusal.hint


def test_one_remembered_job_is_enough_to_know_the_workspace() -> None:
    other = spec("x", "w8")
    lines = (known(other, "g1"), known(other, "j1"))
    assert names(proposal(job(other, "j1", SUCCEEDED), lines=lines)) == []


def test_an_unreadable_job_is_enough_to_know_the_workspace() -> None:
    other = spec("x", "w8")
    assert names(proposal(broken(other, "j1", SUCCEEDED), lines=(known(other, "j1"),))) == []


def test_jobs_of_another_project_do_not_make_it_our_workspace() -> None:
    other = job(spec("x", "w8"), "j9", project="other")
    assert names(proposal(other, lines=(known(A, "g1"),), specs=(spec("b", "w2"),))) == ["other_workspace"]


def test_another_workspace_is_allowed_with_the_option() -> None:
    lines = (known(spec("x", "w8"), "g1"),)
    assert names(proposal(lines=lines, settings=Guards(allow_other_workspace=True))) == []


def test_without_a_memory_every_workspace_is_as_good_as_another() -> None:
    assert names(proposal(job(spec("x", "w8"), "j9", project="other"))) == []


@pytest.mark.parametrize(
    ("ages", "refused"),
    [
        ((0,), False),
        ((59,), False),
        ((60,), True),
        ((61,), True),
        ((0, 30, 59), False),
        ((0, 30, 60), True),
        ((-5,), False),  # the clock of another host is ahead
    ],
)
def test_a_job_that_is_younger_than_the_lists_lag_does_not_show_that_the_workspace_is_another(
    ages: tuple[float, ...], *, refused: bool
) -> None:
    lines = tuple(known(spec("x", "w8"), f"g{at}", age=age) for at, age in enumerate(ages))
    assert names(proposal(lines=lines)) == ["other_workspace"] * refused


def test_a_young_job_that_get_does_not_know_either_may_be_of_another_workspace() -> None:
    """A wrong key is refused at once; the hint says that the records of new jobs may show late."""
    lines = (known(spec("x", "w8"), "g1", age=0), known(spec("y", "w9"), "g2", age=59))
    assert names(proposal(lines=lines, gone=("g1",))) == ["other_workspace"]
    (refusal,) = refusals(proposal(lines=lines, gone=("g1", "g2")))
    assert "none of the 2 jobs" in refusal.message
    assert "new jobs may show late: run again in 60 s" in refusal.hint
    (refusal,) = refusals(proposal(lines=(*lines, known(A, "g3")), gone=("g1", "g2")))
    assert "run again" not in refusal.hint


def test_a_snapshot_of_a_list_that_lags_is_not_of_another_workspace() -> None:
    weighed = proposal(lines=(known(spec("x", "w8"), "g1", age=0),), gone=("g1",))
    observed = structs.replace(weighed.observed, snapshot_taken_at=NOW)
    assert names(structs.replace(weighed, observed=observed)) == []


@pytest.mark.parametrize("server", [-86_400, 0, 86_400])
@pytest.mark.parametrize(("age", "refused"), [(59, False), (60, True)])
def test_the_servers_clock_does_not_say_how_old_a_known_job_is(
    server: int, age: float, *, refused: bool
) -> None:
    line = known(spec("x", "w8"), "g1", age=age)
    line = structs.replace(line, job=structs.replace(line.job, created_at=int(NOW) + server))
    assert names(proposal(lines=(line,))) == ["other_workspace"] * refused


def test_a_young_job_that_is_shown_is_enough_to_know_the_workspace() -> None:
    other = spec("x", "w8")
    lines = (known(other, "g1"), known(other, "j1", age=1))
    assert names(proposal(job(other, "j1", SUCCEEDED, age=1), lines=lines)) == []


def test_a_known_job_is_as_old_as_its_first_line() -> None:
    other = spec("x", "w8")
    lines = (ended(other, "g1", SUCCEEDED, at=NOW), known(other, "g1", age=60))
    assert names(proposal(lines=lines)) == ["other_workspace"]


# Created under another project.


@pytest.mark.parametrize("phase", [ACTIVE, SUCCEEDED])
def test_work_that_lives_under_another_project_is_refused(phase: Phase) -> None:
    other = job(A, "j1", phase, project="renamed")
    (refusal,) = refusals(proposal(other))
    assert refusal.guard == "created_elsewhere"
    assert refusal.message == "the work of a was already submitted under project renamed"
    assert "--allow-created-elsewhere" in refusal.hint


@pytest.mark.parametrize("phase", [FAILED, TIMED_OUT, CANCELLED, STOPPING])
def test_work_that_came_to_nothing_under_another_project_is_no_matter(phase: Phase) -> None:
    assert names(proposal(job(A, "j1", phase, project="renamed"))) == []


def test_other_work_of_another_project_is_no_matter() -> None:
    assert names(proposal(job(spec("a", "w9"), project="renamed"))) == []


def test_work_under_another_project_is_allowed_if_it_is_not_created_here() -> None:
    b = spec("b", "w2")
    weighed = proposal(job(A), job(A, "j2", project="renamed"), specs=(A, b))
    assert names(weighed) == []


def test_many_works_under_other_projects_are_reported_in_one_sentence() -> None:
    b, c = spec("b", "w2"), spec("c", "w3")
    jobs = (job(A, "j1", project="one"), job(b, "j2", project="two"), job(c, "j3", project="one"))
    (refusal,) = refusals(proposal(*jobs, specs=(A, b, c)))
    assert refusal.message == "the work of a and 2 more was already submitted under project one, two"


def test_creating_it_here_too_is_allowed_with_the_option() -> None:
    weighed = proposal(job(A, project="renamed"), settings=Guards(allow_created_elsewhere=True))
    assert names(weighed) == []


# All of them.


def test_duplicates_count_in_no_cancel_guard() -> None:
    twins = tuple(job(A, f"j{at:02}", completed_requests=9_000) for at in range(20))
    weighed = proposal(*twins, settings=Guards(max_cancels=0, max_cancel_share=0.0, max_lost_answers=0))
    assert len(weighed.plan.of(Cancel)) == 19
    assert names(weighed) == []


def test_guards_are_silent_if_nothing_is_pending() -> None:
    other = spec("x", "w8")
    weighed = proposal(
        job(A, "j1"),
        job(A, "j2", project="renamed"),
        settings=Guards(max_cancels=0, max_cancel_share=0.0, max_new_requests=0, max_lost_answers=0),
        lines=(known(other, "g1"),),
    )
    assert not weighed.plan.pending
    assert refusals(weighed) == ()
    assert guards.other_workspace(weighed)  # would speak, were it asked


def test_several_guards_may_refuse_one_plan() -> None:
    weighed = proposal(
        *running(11, answered=1_000),
        specs=(),
        settings=Guards(),
        lines=(known(spec("x", "w8"), "g1"),),
    )
    assert names(weighed) == [
        "empty",
        "max_cancels",
        "max_cancel_share",
        "max_lost_answers",
        "other_workspace",
    ]


def test_every_refusal_names_its_override() -> None:
    weighed = proposal(
        *running(11, answered=1_000), specs=(), settings=Guards(), lines=(known(spec("x", "w8"), "g1"),)
    )
    assert all("--" in refusal.hint for refusal in refusals(weighed))

"""The list of jobs: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final, Literal
from unittest.mock import Mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError, OutcomeUnknownError
from reconciler.api.values import JobPage
from reconciler.context import RunContext
from reconciler.environment import Environment
from reconciler.errors import ListingError
from reconciler.ledger.lines import Line
from reconciler.ledger.memory import Memory
from reconciler.model import Job, JobSpec, Phase, tags
from reconciler.planning.actions import Create
from reconciler.planning.planner import plan
from reconciler.settings import Limits
from reconciler.workspace.listing import MAX_TRIES, PAGE_SIZE, whole
from reconciler.workspace.observe import Watched, sort_out, with_remembered
from tests.helpers.fakes import Stage, run_in, sequentially
from tests.helpers.make import (
    FAILED,
    NOW,
    PROJECT,
    SUCCEEDED,
    broken,
    created,
    declared,
    ended,
    intended,
    job,
    memory,
    newer,
    op_of,
    reported,
    spec,
    stopped,
)

A: Final = spec("a")
WATCHED: Final = Watched(project=PROJECT, wanted=frozenset(A.run_keys))
Tamper = Callable[[int, JobPage], JobPage]


def some_jobs(count: int) -> list[Job]:
    return [structs.replace(job(A, f"j{at:05}", age=100_000 - at), metadata={}) for at in range(count)]


class Pages(Reader):
    """A list of jobs that is handed out in pages, and what goes wrong with it.

    Args:
        jobs: the oldest first.
        cap: the largest page that the server hands out.
        before: runs before each request and may change the list; it is given the number of the request.
        tamper: changes an answer; it is given the number of the request.
        also: jobs that only GET knows.
    """

    def __init__(
        self,
        jobs: list[Job],
        *,
        cap: int = 10**9,
        before: Callable[[int], None] = lambda _: None,
        tamper: Tamper = lambda _, page: page,
        also: tuple[Job, ...] = (),
    ) -> None:
        self.jobs = jobs
        self.asked: list[tuple[int, int]] = []
        self.got: list[str] = []
        self._cap = cap
        self._before = before
        self._tamper = tamper
        self._also = also

    def list_jobs(
        self,
        *,
        page: int,
        page_size: int = 100,
        order_by: Literal["created", "-created"] = "created",
        **_: object,
    ) -> JobPage:
        assert order_by == "created"  # what is created meanwhile must not shift the pages
        number = len(self.asked)
        self.asked.append((page, page_size))
        self._before(number)
        size = min(page_size, self._cap)
        found = tuple(self.jobs[page * size : (page + 1) * size])
        return self._tamper(number, JobPage(jobs=found, total=len(self.jobs)))

    def get_job(self, job_id: str) -> Job:
        self.got.append(job_id)
        for it in self._also:
            if it.id == job_id:
                return it
        raise NotFoundError("404: no such job", status=404)


def looking(env: Environment, reader: Reader) -> RunContext[Reader]:
    return run_in(env, reader, limits=Limits(reads_in_flight=4))


def listed(reader: Reader, stage: Stage | None = None) -> list[str]:
    return [it.id for it in whole(looking((stage or Stage()).world(), reader)).jobs]


# Whole lists.


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250, 1000])
def test_a_list_of_any_length_is_read_whole(count: int) -> None:
    reader = Pages(some_jobs(count))
    assert listed(reader) == [it.id for it in reader.jobs]
    assert len(reader.asked) == count // PAGE_SIZE + 1  # behind a full page there may be another


@pytest.mark.parametrize(
    ("count", "rounds"),
    [(100, [[1]]), (250, [[1, 2]]), (300, [[1, 2], [3]]), (1000, [[*range(1, 10)], [10]])],
)
def test_pages_are_read_side_by_side_and_the_one_behind_a_full_last_page_after_them(
    count: int, rounds: list[list[int]]
) -> None:
    spread = Mock(side_effect=sequentially)
    whole(run_in(replace(Stage().world(), map_concurrently=spread), Pages(some_jobs(count))))
    assert [list(call.args[1]) for call in spread.call_args_list] == rounds


@pytest.mark.parametrize("cap", [1, 7, 20, 50, 99, 100, 1000])
def test_a_server_that_hands_out_smaller_pages_is_read_whole(cap: int) -> None:
    reader = Pages(some_jobs(205), cap=cap)
    assert listed(reader) == [it.id for it in reader.jobs]


def test_a_server_that_hands_out_smaller_pages_is_asked_for_no_more_than_it_gives() -> None:
    reader = Pages(some_jobs(205), cap=50)
    listed(reader)
    assert reader.asked == [(0, 100), *((at, 50) for at in range(5))]


def test_a_list_is_sorted_by_age_whatever_the_server_does() -> None:
    jobs = some_jobs(150)
    assert listed(Pages(jobs[::-1])) == [it.id for it in jobs]


def test_jobs_that_are_created_meanwhile_are_read_too() -> None:
    jobs, more = some_jobs(250), some_jobs(420)[250:]

    def grow(number: int) -> None:
        if number == 2:
            jobs.extend(more)

    reader = Pages(jobs, before=grow)
    assert listed(reader) == [it.id for it in jobs]
    assert len(jobs) == 420
    assert len(reader.asked) == 5


def test_one_job_that_is_created_at_the_border_of_a_page_is_read() -> None:
    jobs, more = some_jobs(200), some_jobs(201)[200:]

    def grow(number: int) -> None:
        if number == 1:
            jobs.extend(more)

    assert len(listed(Pages(jobs, before=grow))) == 201


@given(st.integers(0, 350), st.integers(1, 120), st.integers(0, 5), st.integers(0, 150))
def test_a_list_that_only_grows_is_read_whole(count: int, cap: int, when: int, extra: int) -> None:
    everything = some_jobs(count + extra)
    jobs = everything[:count]

    def grow(number: int) -> None:
        if number == when:
            jobs.extend(everything[count:])

    reader = Pages(jobs, cap=cap, before=grow)
    found = listed(reader)
    assert found[:count] == [it.id for it in everything[:count]]
    assert found in ([it.id for it in everything[:count]], [it.id for it in everything])


# Lists that are not whole.


def test_a_job_that_is_deleted_meanwhile_makes_the_list_be_read_again() -> None:
    jobs, stage = some_jobs(250), Stage()

    def shrink(number: int) -> None:
        if number == 1:
            del jobs[3]

    reader = Pages(jobs, before=shrink)
    assert listed(reader, stage) == [it.id for it in jobs]
    assert len(jobs) == 249
    assert stage.log.names == ["jobs.list_incomplete", "jobs.listed"]
    assert stage.clock.slept == [0.5]


@example(cap=1, place=7, shown=[number == 8 for number in range(60)], at_once=1)
@given(
    st.integers(1, 5), st.integers(0, 12), st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 4)
)
def test_a_job_that_appears_and_vanishes_hides_no_other(
    cap: int, place: int, shown: list[bool], at_once: int
) -> None:
    """Whichever pages show it, a list that is accepted has every job that was there all the time."""
    everything = some_jobs(13)
    steady = [it for at, it in enumerate(everything) if at != place]
    jobs = list(everything)

    def flap(number: int) -> None:
        jobs[:] = everything if shown[number % len(shown)] else steady

    run = run_in(Stage().world(), Pages(jobs, cap=cap, before=flap), limits=Limits(reads_in_flight=at_once))
    try:
        found = {it.id for it in whole(run).jobs}
    except ListingError:
        return
    assert {it.id for it in steady} <= found


def test_a_list_that_keeps_shrinking_is_refused() -> None:
    jobs, stage = some_jobs(250), Stage()

    def shrink(number: int) -> None:
        if number % 3:
            del jobs[3]

    reader = Pages(jobs, before=shrink)
    with pytest.raises(ListingError, match="incomplete") as caught:
        listed(reader, stage)
    assert caught.value.hint
    assert stage.log.names == ["jobs.list_incomplete"] * (MAX_TRIES - 1)


def shifted(number: int, page: JobPage) -> JobPage:
    """The second page begins with what the first one ended with."""
    return structs.replace(page, jobs=(*some_jobs(100)[-1:], *page.jobs[:-1])) if number % 3 == 1 else page


def dropped(number: int, page: JobPage) -> JobPage:
    """The second page lacks a job."""
    return structs.replace(page, jobs=page.jobs[1:]) if number % 3 == 1 else page


def emptied(number: int, page: JobPage) -> JobPage:
    return structs.replace(page, jobs=()) if number % 3 == 1 else page


def counted_too_high(_: int, page: JobPage) -> JobPage:
    return structs.replace(page, total=page.total + 1)


def counted_lower_and_lower(number: int, page: JobPage) -> JobPage:
    return structs.replace(page, total=page.total - number % 3)


def short_with_a_low_count(number: int, page: JobPage) -> JobPage:
    """A page comes short, and the total agrees."""
    return structs.replace(page, jobs=page.jobs[:-1] if number % 3 == 1 else page.jobs, total=page.total - 1)


@pytest.mark.parametrize(
    "tamper", [shifted, dropped, emptied, counted_too_high, counted_lower_and_lower, short_with_a_low_count]
)
def test_a_list_that_does_not_add_up_is_refused(tamper: Tamper) -> None:
    reader = Pages(some_jobs(250), tamper=tamper)
    with pytest.raises(ListingError, match=r"\(3 tries\)"):
        listed(reader)


@pytest.mark.parametrize(
    "tamper", [shifted, dropped, emptied, counted_lower_and_lower, short_with_a_low_count]
)
def test_a_list_that_adds_up_the_second_time_is_taken(tamper: Tamper) -> None:
    def once(number: int, page: JobPage) -> JobPage:
        return tamper(number, page) if number < 3 else page

    reader = Pages(some_jobs(250), tamper=once)
    assert len(listed(reader)) == 250


def backwards(do: Callable[[Any], Any], items: Sequence[Any], *, max_workers: int) -> list[Any]:
    """Read the last page first, as may happen side by side."""
    order = items[::-1] if max_workers > 1 else items
    found = {item: do(item) for item in order}
    return [found[item] for item in items]


def test_a_job_that_shows_late_among_older_ones_hides_none() -> None:
    jobs, late = some_jobs(250), structs.replace(some_jobs(1)[0], id="late", created_at=1)

    def show(number: int) -> None:
        if number == 2:  # page 2 was read, page 1 is next, and ends with what page 2 began with
            jobs.insert(150, late)

    env = replace(Stage().world(), map_concurrently=backwards)
    found = whole(looking(env, Pages(jobs, before=show))).jobs
    assert {it.id for it in found} == {it.id for it in jobs}


def test_a_workspace_in_which_jobs_are_made_all_the_time_is_read_all_the_same() -> None:
    jobs = some_jobs(250)
    there = {it.id for it in jobs}

    def make(number: int) -> None:
        jobs.append(structs.replace(jobs[0], id=f"new{number}", created_at=jobs[-1].created_at + 1))

    env = replace(Stage().world(), map_concurrently=backwards)
    assert there <= {it.id for it in whole(looking(env, Pages(jobs, before=make))).jobs}


def test_a_row_that_is_listed_twice_does_not_make_the_pages_larger() -> None:
    jobs = some_jobs(4)

    def lie(number: int, page: JobPage) -> JobPage:
        if number == 0:
            return JobPage(jobs=(*page.jobs, page.jobs[-1]), total=3)
        return structs.replace(page, total=2) if number == 1 else page

    reader = Pages(jobs, cap=3, tamper=lie)
    listed(reader)
    assert reader.asked == [(0, 100)]  # three jobs, of a total of three


def test_a_list_with_repeated_jobs_holds_each_once() -> None:
    def repeat(_: int, page: JobPage) -> JobPage:
        return structs.replace(page, jobs=(*page.jobs, *page.jobs[:3]))

    assert len(listed(Pages(some_jobs(250), tamper=repeat))) == 250


def test_nothing_with_a_total_is_not_an_empty_workspace() -> None:
    with pytest.raises(ListingError, match="0 jobs on 1 page, of a total of 7"):
        listed(Pages([], tamper=lambda _, page: structs.replace(page, total=7)))


def test_a_total_without_end_does_not_ask_without_end() -> None:
    """A server that counts wrongly is refused at once."""
    reader = Pages(some_jobs(500), tamper=lambda _, page: structs.replace(page, total=10**12))
    with pytest.raises(
        ListingError, match="has 1,000,000,000,000 jobs, 100 on a page; at most 10,000 pages are read"
    ):
        listed(reader)
    assert reader.asked == [(0, 100)]


def test_a_list_that_grows_without_end_is_given_up() -> None:
    """Every page has a new job, and the total grows with them."""
    jobs = some_jobs(2)

    def grow(number: int) -> None:
        jobs.append(structs.replace(jobs[0], id=f"new{number}"))

    reader = Pages(jobs, cap=1, before=grow)
    with pytest.raises(ListingError, match="at most 10,000 pages are read"):
        listed(reader)
    assert len(reader.asked) < 10_100


def test_a_page_that_cannot_be_had_is_no_empty_page() -> None:
    def fail(number: int) -> None:
        if number == 1:
            raise OutcomeUnknownError("502: Bad Gateway", status=502)

    with pytest.raises(OutcomeUnknownError):
        listed(Pages(some_jobs(250), before=fail))


@given(st.integers(0, 250), st.lists(st.integers(0, 249), max_size=4), st.integers(0, 4))
def test_whatever_is_deleted_meanwhile_nothing_else_is_missed(
    count: int, deleted: list[int], when: int
) -> None:
    jobs = some_jobs(count)

    def shrink(number: int) -> None:
        if number == when:
            for at in deleted:
                if at < len(jobs):
                    del jobs[at]

    try:
        found = listed(Pages(jobs, before=shrink))
    except ListingError:
        return
    assert {it.id for it in jobs} <= set(found)


# What the ledger remembers beyond the list.


def looked(reader: Reader, known: Memory) -> tuple[list[str], frozenset[str]]:
    run = looking(Stage().world(), reader)
    seen = with_remembered(run, WATCHED, known, whole(run))
    return [it.job.id for it in seen.owned], seen.missing_ids


def test_without_a_memory_nothing_is_asked_for() -> None:
    reader = Pages([job(A)])
    assert looked(reader, Memory()) == (["j1"], frozenset())
    assert reader.got == []


def test_a_remembered_job_that_the_list_does_not_show_yet_is_found() -> None:
    reader = Pages([], also=(job(A, "j7"),))
    assert looked(reader, memory(created(A, "j7"))) == (["j7"], frozenset())


def test_a_remembered_job_that_get_does_not_find_is_gone() -> None:
    reader = Pages([job(A)], also=())
    assert looked(reader, memory(created(A, "j7"), created(A, "j8"))) == (["j1"], frozenset({"j7", "j8"}))
    assert reader.got == ["j7", "j8"]


def test_a_remembered_job_that_the_list_shows_is_not_asked_for() -> None:
    reader = Pages([job(A, "j7")])
    assert looked(reader, memory(created(A, "j7"), ended(A, "j7", SUCCEEDED))) == (["j7"], frozenset())
    assert reader.got == []


def test_a_remembered_job_of_undeclared_work_is_not_requested() -> None:
    reader = Pages([])
    old = created(spec("x", "w9"), "j7", at=NOW - 60)
    assert looked(reader, memory(old, *stopped("j8", "removed"))) == (
        [],
        frozenset(),
    )
    assert reader.got == []


@pytest.mark.parametrize("age", [0, 59])
def test_a_job_that_the_list_may_not_show_yet_is_asked_for_whatever_its_work(age: float) -> None:
    """What was created seconds ago is cancelled, waited for or left alone like any other job."""
    other = spec("x", "w9")
    young = created(other, "j7", at=NOW - age)
    assert looked(Pages([], also=(job(other, "j7"),)), memory(young)) == (["j7"], frozenset())
    assert looked(Pages([]), memory(young)) == ([], frozenset({"j7"}))


def test_a_remembered_job_that_cannot_be_asked_for_is_not_gone() -> None:
    class Broken(Pages):
        def get_job(self, job_id: str) -> Job:
            raise OutcomeUnknownError(f"502: {job_id}", status=502)

    with pytest.raises(OutcomeUnknownError):
        looked(Broken([]), memory(created(A, "j7")))


# What each job is to us.


def test_jobs_are_sorted_by_what_they_are_to_us() -> None:
    jobs = (
        job(A, "j1"),
        job(spec("b", "w2"), "j2", FAILED),
        broken(A, "j3"),
        newer(A, "j4"),
        job(A, "j5", project="other"),
        job(spec("b", "w2"), "j6", project="other"),
        broken(A, "j7", project="other"),
        job(A, "j8", altered={tags.PROJECT: None}),
        job(A, "j9", altered={tags.PROJECT: 7}),
        structs.replace(job(A, "j0"), metadata={}),
    )
    seen = sort_out(jobs, WATCHED, missing_ids=frozenset({"g1"}))
    assert [it.job.id for it in seen.owned] == ["j1", "j2"]
    assert [(it.job.id, it.from_newer_version) for it in seen.unreadable] == [("j3", False), ("j4", True)]
    assert [(it.job.id, it.project, it.name) for it in seen.other_projects] == [("j5", "other", "a")]
    assert seen.missing_ids == {"g1"}
    assert seen.total == 10
    assert seen.owned[0].tags.op == op_of("j1")


@pytest.mark.parametrize(
    "altered",
    [
        altered
        for size in (1, 2, 3)
        for altered in combinations((tags.PROJECT, tags.NAME, tags.WORK, tags.INPUTS), size)
        if altered != (tags.INPUTS,)
    ],
    ids=", ".join,
)
@pytest.mark.parametrize(
    "forged",
    [spec("b", "w2"), spec("b", "w1"), spec("a", "w2"), spec("c", "w3")],
    ids=("b", "b with the same work", "a with other work", "c"),
)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("confirmed", [True, False])
def test_a_forged_claim_to_the_job_of_another_never_makes_it_anew(
    altered: tuple[str, ...], forged: JobSpec, first: bool, confirmed: bool
) -> None:
    """No run received the id of a job of `a`; its tags were altered, and a line says that it is other work's."""
    of_a = job(A, "j1", altered=dict.fromkeys(altered))
    claim = structs.replace(created(forged, "j1", at=NOW - 9_000), op="f" * 24)
    lines: list[Line] = [intended(A, op_of("j1"), at=NOW - 9_000)]
    lines.append(claim if confirmed else intended(forged, op_of("j1"), at=NOW - 9_000))
    known = memory(*(lines if first else reversed(lines)))
    run = looking(Stage().world(), Pages([of_a]))
    observed = with_remembered(run, WATCHED, known, whole(run))
    found = plan(declared(A, spec("b", "w2")), observed, known, now=NOW)
    of_name = {decision.name: decision for decision in found.decisions}["a"]
    assert not any(isinstance(action, Create) for action in of_name.actions), reported(found)


def test_the_work_in_the_tags_says_whose_intent_a_shared_op_is() -> None:
    """The hold is then about that spec alone."""
    of_a = job(A, "j1", altered={tags.NAME: None})
    forged = intended(spec("b", "w2"), op_of("j1"), at=NOW - 9_000)
    known = memory(forged, intended(A, op_of("j1"), at=NOW - 9_000))
    run = looking(Stage().world(), Pages([of_a]))
    (unreadable,) = with_remembered(run, WATCHED, known, whole(run)).unreadable
    assert (unreadable.name, unreadable.run_key, unreadable.of_any_name) == ("a", A.run_key, False)


def test_a_project_is_ours_to_the_letter() -> None:
    jobs = tuple(
        job(A, f"j{at}", project=word) for at, word in enumerate(("Search", "search ", "sear", "search2"))
    )
    seen = sort_out(jobs, WATCHED)
    assert seen.owned == ()
    assert len(seen.other_projects) == 4


def test_of_a_job_on_two_pages_the_last_row_counts() -> None:
    first, *others = some_jobs(250)
    running, done = structs.replace(first, phase=Phase.ACTIVE), structs.replace(first, phase=SUCCEEDED)
    pages = [JobPage(jobs=tuple(some), total=250) for some in ((running, *others[:99]), others[99:199])]
    pages.append(JobPage(jobs=(*others[199:], done), total=250))
    listed = whole(looking(Stage().world(), Pages([], tamper=lambda at, _: pages[at])))
    assert [it.phase for it in listed.jobs if it.id == first.id] == [SUCCEEDED]
    assert len(listed.jobs) == 250

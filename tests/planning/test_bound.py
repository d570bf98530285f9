"""What a plan without results shows of a work is never less than what an apply may submit of it."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.ledger.lines import Line, WorkSeen
from reconciler.model import Job, JobSpec, WorkCounts
from reconciler.planning.actions import Cancel, Create, Plan
from reconciler.planning.bound import bound, rules_digest
from reconciler.planning.coverage import UNASKED, Donor
from reconciler.planning.group_by_name import group_by_name
from reconciler.planning.planner import plan
from reconciler.planning.work import Work
from tests.helpers.donors import ended, letters, us, work
from tests.helpers.make import (
    CANCELLED,
    FAILED,
    NOW,
    SUCCEEDED,
    TIMED_OUT,
    declared,
    file_of,
    job,
    memory,
    reported,
    retrying,
    seen,
    spec,
    stopped,
)
from tests.helpers.worlds import World, worlds

WANTED = "abcdef"


def wanting(cap: int = 2, canary: int = 0, *, reuse: bool = False) -> JobSpec:
    """A spec of six requests."""
    return spec("a", inputs=(file_of("w1", requests=6),), retry=retrying(cap), canary=canary, reuse=reuse)


def joined(of: JobSpec, answered: int, *jobs: str, left: int = 0, at: float = NOW, **kinds: int) -> WorkSeen:
    """A line of the ledger about the results of a work."""
    return WorkSeen(
        at=at,
        run_id="r",
        name=of.name,
        work=of.run_key.work,
        rerun=of.run_key.rerun,
        counts=WorkCounts(of=of.requests or 0, answered=answered, kinds=kinds, left=left),
        rules=rules_digest(of),
        jobs=jobs,
    )


def bounded(of: JobSpec, *jobs: Job, lines: tuple[Line, ...] = ()) -> Work | None:
    """The bound of a work whose results were not read."""
    (case,) = group_by_name(declared(of), seen((of,), *jobs), memory(*lines), now=NOW)
    return bound(case, most=1000)


def early(of: JobSpec, answered: int = 4, job_id: str = "j1", **more: object) -> Job:
    """A job that answered some requests before its timeout."""
    return job(of, job_id, TIMED_OUT, succeeded_requests=answered, output_file="o", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "jobs", "lines", "shown"),
    [
        (wanting(canary=2), (), (), (2, 6)),
        (wanting(), (early(wanting()),), (), (2, 2)),
        (wanting(1), (early(wanting(1)),), (), None),
        (wanting(), (early(wanting()), early(wanting(), 0, "j2", age=50)), (), None),
        (wanting(), (early(wanting()),), (joined(wanting(), 5, "j1", http_400=1),), None),
        (wanting(), (early(wanting()),), (joined(wanting(), 3, "j1", left=3),), (3, 3)),
        (wanting(5), (early(wanting()),), (joined(wanting(), 5, "j1", http_400=1),), (1, 1)),
        (wanting(), (early(wanting()),), (joined(wanting(), 5, "j0", http_400=1),), (2, 2)),
        (wanting(), (job(wanting(), "j1", SUCCEEDED, failed_requests=1),), (), (1, 1)),
        (wanting(), (job(wanting(), "j1", SUCCEEDED),), (), None),
        (wanting(reuse=True), (job(spec("a", "w0", reuse=True), "j1", SUCCEEDED),), (), (6, 6)),
    ],
)
def test_what_a_plan_without_results_shows(
    of: JobSpec, jobs: tuple[Job, ...], lines: tuple[Line, ...], shown: tuple[int, int] | None
) -> None:
    """How many requests it would submit now and in all; None if whole jobs decide."""
    found = bounded(of, *jobs, lines=lines)
    assert (found and (len(found.part.places), len(found.part.places) + found.part.held)) == shown


KINDS = ("", "", "missing", "http_400")


@st.composite
def courses(draw: st.DrawFn) -> tuple[JobSpec, tuple[Job, ...], tuple[Line, ...], Work]:
    """A work after some jobs, as an apply would have submitted them, and what their results show."""
    of = wanting(draw(st.integers(1, 3)), draw(st.sampled_from((0, 0, 2))))
    donors: list[Donor] = []
    jobs: list[Job] = []
    lines: list[Line] = []
    cap, canary = of.retry.max_attempts, of.canary
    for at in range(draw(st.integers(1, 4))):
        before = work(WANTED, *donors, cap=cap, canary=canary)
        if not before.part.places:
            break
        asked = [WANTED[place] for place in before.part.places]
        by_us, job_id = draw(st.booleans()), f"j{at}"
        outcomes = {it: draw(st.sampled_from((*KINDS, *([UNASKED] if by_us else ())))) for it in asked}
        answers = sum(kind == "" for kind in outcomes.values())
        donors.append(us(job_id, outcomes) if by_us else ended(job_id, outcomes))
        phase = CANCELLED if by_us else draw(st.sampled_from((SUCCEEDED, TIMED_OUT)))
        whole = len(asked) == len(WANTED) and not canary
        jobs.append(
            job(
                of,
                job_id,
                phase,
                attempt=at + 1,
                age=900 - at,
                part=None if whole else (len(asked), len(WANTED), before.part.reused),
                succeeded_requests=answers,
                output_file="o" if answers else None,
            )
        )
        lines += stopped(job_id, "suspended") if by_us else ()
        now = work(WANTED, *donors, cap=cap, canary=canary)
        if draw(st.booleans()):
            ids = tuple(it.id for it in jobs)
            lines.append(structs.replace(joined(of, 0, *ids, at=at), counts=now.counts))
    return of, tuple(jobs), tuple(lines), work(WANTED, *donors, cap=cap, canary=canary)


@given(courses())
def test_the_bound_is_never_less_than_what_results_show(
    course: tuple[JobSpec, tuple[Job, ...], tuple[Line, ...], Work],
) -> None:
    of, jobs, lines, read = course
    (case,) = group_by_name(declared(of), seen((of,), *jobs), memory(*lines), now=NOW)
    decides = plan(declared(of), seen((of,), *jobs), memory(*lines), works={"a": read}, now=NOW)
    found = bound(case, most=1000)
    works = {"a": found} if found else {}
    shown = plan(declared(of), seen((of,), *jobs), memory(*lines), works=works, now=NOW)
    event(f"bound: {bool(found)}, submits: {bool(decides.of(Create))}")
    most = sum(it.in_all or 0 for it in shown.of(Create))
    assert sum(it.in_all or 0 for it in decides.of(Create)) <= most
    assert sum(it.requests or 0 for it in decides.of(Create)) <= most


# What the ledger says of results.


@pytest.mark.parametrize(
    ("answered", "kinds", "said"),
    [
        (6, {}, "keep j1 succeeded"),
        (5, {"http_400": 1}, "keep j1 succeeded!"),
        (6, {"invalid": 1}, "keep j1 succeeded!"),
    ],
)
def test_a_join_of_another_runner_counts_more_than_tags_and_counts(
    answered: int, kinds: dict[str, int], said: str
) -> None:
    of = wanting(1)
    for failed in (0, 2):
        there = job(of, "j1", SUCCEEDED, failed_requests=failed)
        line = joined(of, answered, "j1", **kinds)
        assert reported(plan(declared(of), seen((of,), there), memory(line), now=NOW)) == {"a": (said,)}


def test_results_are_read_of_work_that_is_complete_by_its_counts_and_not_by_a_join() -> None:
    of = wanting()
    there = seen((of,), job(of, "j1", SUCCEEDED))
    for line, donors in ((joined(of, 6, "j1"), 0), (joined(of, 5, "j1"), 1)):
        (case,) = group_by_name(declared(of), there, memory(line), now=NOW)
        assert len(case.donors) == donors
    read = work(WANTED, ended("j1", letters(abcde="", f="missing")))
    made = plan(declared(of), there, memory(joined(of, 5, "j1")), works={"a": read}, now=NOW)
    assert reported(made) == {"a": ("create retry 2 1/6",)}
    good = work(WANTED, ended("j1", letters(abcdef="")))
    made = plan(declared(of), there, memory(joined(of, 5, "j1")), works={"a": good}, now=NOW)
    assert reported(made) == {"a": ("keep j1 succeeded",)}


def test_a_join_says_nothing_about_a_job_that_it_has_not_seen() -> None:
    of = wanting(1)
    jobs = (
        job(of, "j1", SUCCEEDED, age=900, part=(2, 6, 0)),
        job(of, "j2", FAILED, part=(4, 6, 2), attempt=2),
    )
    for line in (joined(of, 6, "j1"), joined(of, 6, "j2"), joined(of, 6)):
        alone = plan(declared(of), seen((of,), *jobs), memory(), now=NOW)
        assert plan(declared(of), seen((of,), *jobs), memory(line), now=NOW) == alone


def writes(made: Plan) -> set[object]:
    """What a plan would do."""
    creates = {(it.spec.name, it.spec.run_key, it.attempt) for it in made.of(Create)}
    return creates | {(it.owned.job.id, it.reason) for it in made.of(Cancel)}


@given(worlds(), st.data())
def test_no_line_about_results_makes_a_create_or_a_cancel_possible(it: World, data: st.DataObject) -> None:
    ids = [there.id for there in it.jobs]
    forged = [
        joined(of, data.draw(st.integers(0, 12)), *data.draw(st.sets(st.sampled_from(ids))), left=9)
        for of in it.specs
        if ids
    ]
    other = World(**{**vars(it), "lines": (*it.lines, *forged)})
    assert writes(other.plan()) <= writes(it.plan())

"""What a plan can do without: whatever is left out, the same is decided, refused, counted and told."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import json, structs

from reconciler import planfile
from reconciler.api.values import JobPage
from reconciler.api.wire import read_job_page
from reconciler.cli.declare import commits_in_question
from reconciler.guards import Allowed, Proposal, measures, refusals
from reconciler.ledger.lines import Line
from reconciler.ledger.memory import Memory
from reconciler.listing import whole
from reconciler.model import (
    UNDECLARED,
    Checkout,
    Declared,
    Job,
    JobSpec,
    Later,
    Observed,
    Ours,
    Target,
)
from reconciler.observe import Watched, by_memory, sort_out, with_remembered
from reconciler.past import Sieve
from reconciler.planner import plan
from reconciler.settings import Guards

from .fakes import Stage
from .make import (
    ACTIVE,
    CANCELLED,
    ELSEWHERE,
    FAILED,
    HEAD,
    NOW,
    PROJECT,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    UNKNOWN,
    adopting,
    created,
    intended,
    job,
    memory,
    modest,
    op_of,
    ours,
    spec,
)
from .test_observe import Pages
from .worlds import NAMES, Dice, World, remembered, worlds

DAY: Final = 86_400
LATER: Final = "1a7e5"
"""A commit that contains this checkout."""
GUARDS: Final = Guards(max_cancels=1, max_requests_per_day=15)


def a_past(dice: Dice) -> tuple[tuple[Job, ...], tuple[Line, ...]]:
    """Jobs of earlier days, of wanted and of other work, and what the ledger knows of them."""
    jobs = tuple(
        job(
            spec(
                dice.pick(*NAMES, "old", "later"),
                dice.pick("w4", "w5", "w6", "w1", "w2"),
                dice.pick("", "", "2", "3"),
            ),
            f"p{at}",
            dice.pick(SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, SUCCEEDED, ACTIVE, UNKNOWN),
            attempt=dice.pick(1, 1, 2),
            age=dice.pick(3 * DAY, 3 * DAY, 4 * DAY, 40 * DAY, 3600, 50),
            commit=dice.pick(HEAD, ELSEWHERE, LATER, ""),
        )
        for at in range(dice.pick(12, 6, 3, 1))
    )
    lines = [line for it in jobs for line in remembered(dice, it) if dice.pick(False, False, True)]
    if dice.pick(False, True):
        lines.append(intended(dice.work("a"), op_of("p0"), at=NOW - 10))
    return jobs, tuple(lines)


def looked(world: World, jobs: tuple[Job, ...], memory: Memory, sieve: Sieve | None) -> Observed:
    wanted = frozenset(key for it in world.specs for key in it.run_keys)
    adopted = frozenset(it.adopt.job for it in world.specs if it.adopt)
    watched = Watched(project=PROJECT, wanted=wanted, adopted=adopted)
    seen = sort_out(jobs, watched, gone=world.gone, known=by_memory(memory, jobs), sieve=sieve)
    return structs.replace(seen, began=NOW)


def decided(said: Declared, observed: Observed, memory: Memory) -> tuple[object, ...]:
    """Everything that a reader or a guard sees of a plan."""
    commits = commits_in_question(said, observed)
    said = structs.replace(said, lineage=commits & {HEAD} if said.lineage is not None else None)
    said = structs.replace(said, newer=commits & {LATER} if said.lineage is not None else frozenset())
    made = plan(said, observed, memory, now=NOW)
    proposal = Proposal(
        plan=made,
        declared=said,
        observed=observed,
        memory=memory,
        settings=GUARDS,
        allowed=Allowed(),
        now=NOW,
    )
    document = planfile.of(
        made,
        target=Target(base_url="http://localhost", project=PROJECT),
        checkout=Checkout(),
        declared=said,
        observed=observed,
        refusals=refusals(proposal),
        measures=measures(proposal),
        now=NOW,
    )
    return made, document, observed.pending, observed.total


@modest
@given(
    worlds(),
    st.binary(min_size=256, max_size=256),
    st.none() | st.frozensets(st.sampled_from((*NAMES, "old"))),
)
def test_what_is_left_out_decides_nothing(world: World, more: bytes, selected: frozenset[str] | None) -> None:
    dice = Dice(more)
    jobs, lines = a_past(dice)
    if dice.pick(False, True) and world.specs:  # it adopts a job of the past
        first, *others = world.specs
        adopts = adopting(first, dice.pick("p0", "p1"), work=dice.pick(first, spec("old", "w4")))
        world = replace(world, specs=(adopts, *others))
    known = memory(*world.lines, *lines)
    said = Declared(
        specs=world.specs, selected=selected, later={"later": Later(begins="")}, lineage=world.lineage
    )
    everything = (*world.jobs, *jobs)
    sieve = Sieve(said, known, since=NOW - 2 * DAY)
    full, less = looked(world, everything, known, None), looked(world, everything[::-1], known, sieve)
    event(f"left out: {sum(less.past.values())}")
    assert len(less.ours) + sum(less.past.values()) == len(full.ours)
    assert decided(said, less, known) == decided(said, full, known)


# What is kept, rule by rule.

A: Final = spec("a", "w1")
OLD: Final = spec("a", "w9")
GONE: Final = spec("gone", "w8")


def kept(
    *jobs: Ours, specs: Iterable[JobSpec] = (A,), known: Memory | None = None
) -> tuple[list[str], dict[str, int]]:
    sieve = Sieve(Declared(specs=tuple(specs)), known or Memory(), since=NOW - DAY)
    for it in jobs:
        sieve.add(it)
    return sorted(it.job.id for it in sieve.kept), dict(sieve.past)


def past(of: JobSpec, job_id: str, *, days: int = 9) -> Ours:
    return ours(of, job_id, SUCCEEDED, age=days * DAY)


def test_of_a_declared_name_the_last_ended_job_of_other_work_is_kept() -> None:
    jobs = (past(OLD, "j1", days=5), past(OLD, "j2", days=3), past(OLD, "j3", days=4))
    assert kept(*jobs) == (["j2"], {"a": 2})


def test_ended_jobs_of_names_that_nobody_declares_are_only_counted() -> None:
    assert kept(past(GONE, "j1"), past(spec("x", "w7"), "j2")) == ([], {UNDECLARED: 2})


def test_nothing_is_left_out_of_what_is_wanted_under_any_name_and_rerun() -> None:
    jobs = (past(A, "j1"), past(A, "j2"), past(spec("x", "w1"), "j3"), past(spec("y", "w1", "7"), "j4"))
    assert kept(*jobs) == (["j1", "j2", "j3", "j4"], {})


@pytest.mark.parametrize("phase", [ACTIVE, STOPPING, UNKNOWN])
def test_nothing_is_left_out_that_has_not_ended(phase: object) -> None:
    assert kept(*(ours(GONE, f"j{at}", phase, age=9 * DAY) for at in range(3)))[1] == {}  # type: ignore[arg-type]


def test_nothing_is_left_out_of_the_last_day() -> None:
    assert kept(*(ours(GONE, f"j{at}", SUCCEEDED, age=DAY - 1) for at in range(3)))[1] == {}


def test_what_a_spec_adopts_is_kept_and_so_is_what_did_the_work_that_it_adopts() -> None:
    adopts = adopting(A, "j1", work=GONE)
    jobs = (past(spec("x", "w7"), "j1"), past(spec("x", "w7"), "j2"), past(GONE, "j3"), past(GONE, "j4"))
    assert kept(*jobs, specs=[adopts]) == (["j1", "j3", "j4"], {UNDECLARED: 1})


def test_what_an_open_create_may_have_made_is_kept() -> None:
    known = memory(intended(GONE, op_of("j2"), at=NOW))
    assert kept(past(GONE, "j1"), past(GONE, "j2"), known=known) == (["j2"], {UNDECLARED: 1})


def test_of_what_the_ledger_knows_one_job_is_kept_to_tell_the_workspace_by() -> None:
    known = memory(created(GONE, "j2"), created(GONE, "j3"))
    jobs = [past(GONE, f"j{at}") for at in range(1, 5)]
    assert kept(*jobs, known=known) == (["j2"], {UNDECLARED: 3})


def test_the_commit_of_a_job_is_in_question_under_the_name_that_its_work_has_now() -> None:
    renamed, since = ours(A, "j1", FAILED, commit="c1", age=20), ours(GONE, "j2", FAILED, commit="c2", age=10)
    moved = replace_name(renamed, GONE.name)
    seen = Observed(ours=(moved, since))
    assert commits_in_question(Declared(specs=(A,)), seen) == {"c1", "c2"}


def replace_name(it: Ours, name: str) -> Ours:
    return structs.replace(it, tags=structs.replace(it.tags, name=name))


# In memory.

JOBS: Final = 4000
SPECS: Final = tuple(spec(f"n{at}", f"w{at}") for at in range(10))


class History(Pages):
    """A workspace of old jobs, made from JSON page by page, as they come from the wire."""

    def __init__(self, write: Callable[[int], dict[str, object]]) -> None:
        super().__init__([])
        self._write = write

    def list_jobs(self, *, page: int, page_size: int = 100, **_: object) -> JobPage:
        rows = [self._write(at) for at in range(page * page_size, min((page + 1) * page_size, JOBS))]
        return read_job_page(json.encode({"data": rows, "total": JOBS}))


def shown(number: int) -> dict[str, object]:
    """An old job of other work under a declared name: what can be its own is its own."""
    of = SPECS[number % len(SPECS)]
    made = job(of, f"{number:036}", SUCCEEDED, age=30 * DAY - number, op=f"{number:024x}")
    tags_of = {**made.metadata, "reconciler.work": f"v1:{number * 7919:064x}", "team": "search"}
    return {
        "id": made.id,
        "status": "SUCCESS",
        "endpoint": made.endpoint,
        "model": made.model,
        "metadata": tags_of,
        "input_files": [f"{number * 31:036}"],
        "output_file": f"{number * 37:036}",
        "errors": [],
        "created_at": made.created_at,
        "started_at": made.created_at + 60 + number,
        "completed_at": made.created_at + 4000 + number * 3,
        "total_requests": 1000 + number,
        "completed_requests": 1000 + number,
        "succeeded_requests": 1000 + number,
        "failed_requests": 0,
    }


def test_an_old_job_takes_less_than_half_a_kilobyte() -> None:
    said, world, reader = Declared(specs=SPECS), Stage().world(), History(shown)
    watched = Watched(project=PROJECT, wanted=frozenset(key for it in SPECS for key in it.run_keys))
    tracemalloc.start()
    try:
        listed = whole(reader, world, at_once=1, open_pages=0)
        sieve = Sieve(said, Memory(), since=NOW - DAY)
        observed = with_remembered(reader, world, watched, Memory(), listed, at_once=1, sieve=sieve)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(observed.past.values()) == JOBS - len(SPECS)
    page = 100 * 8_000  # one is being decoded, with its text
    assert (peak - page) / JOBS < 500

"""Generated worlds: so few names and works that they collide, and every rule of the planner applies to some world.

A `World` is everything that `plan` looks at. `after` is the simplest model of what applying a plan does to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, TypeVar, Unpack

from hypothesis import strategies as st
from msgspec import structs

from reconciler.api.values import OddRow
from reconciler.ledger.lines import CancelEnded, CreateConfirmed, Ended, Line, job_facts
from reconciler.model import Checks, Job, JobSpec, Observed, OwnedJob, Phase, tags
from reconciler.planning import planner
from reconciler.planning.actions import Cancel, Create, Plan
from reconciler.planning.work import Work

from .make import (
    ACTIVE,
    CANCELLED,
    ELSEWHERE,
    FAILED,
    HEAD,
    NOTHING,
    NOW,
    PROJECT,
    STATUS,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    UNKNOWN,
    SpecFacts,
    adopting,
    created,
    declared,
    ended,
    intended,
    job,
    meant,
    memory,
    nobodys,
    op_of,
    retrying,
    seen,
    spec,
    stopped,
)

T = TypeVar("T")

NAMES: Final = ("a", "b", "c")
ENDED: Final = (SUCCEEDED, FAILED, TIMED_OUT, CANCELLED)


@dataclass(frozen=True, kw_only=True)
class World:
    """What is declared, what is there, what is remembered."""

    specs: tuple[JobSpec, ...]
    jobs: tuple[Job, ...] = ()
    lines: tuple[Line, ...] = ()
    gone: frozenset[str] = frozenset()
    odd: tuple[OddRow, ...] = ()
    contained_commits: frozenset[str] | None = frozenset({HEAD})
    now: float = NOW
    works: Mapping[str, Work] = field(default_factory=dict)

    @property
    def observed(self) -> Observed:
        return seen(self.specs, *self.jobs, gone=self.gone, odd=self.odd)

    def plan(self, *, selected: frozenset[str] | None = None) -> Plan:
        asked = declared(*self.specs, selected=selected, contained_commits=self.contained_commits)
        return planner.plan(asked, self.observed, memory(*self.lines), works=self.works, now=self.now)


class Dice:
    """Chooses by bytes: one draw for a whole world is many times cheaper than a draw for each choice in it.

    Hypothesis shrinks every byte to 0, so the first option of each choice is the plain one.
    """

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)

    def pick(self, *options: T) -> T:
        return options[next(self._bytes) % len(options)]

    def work(self, name: str, **more: Unpack[SpecFacts]) -> JobSpec:
        return spec(name, self.pick("w1", "w2", "w3"), self.pick("", "", "2"), **more)


def worlds() -> st.SearchStrategy[World]:
    return st.binary(min_size=256, max_size=256).map(lambda data: a_world(Dice(data)))


def a_world(dice: Dice) -> World:
    specs = [an_adopt(dice, a_spec(dice, name)) for name in NAMES[: dice.pick(1, 2, 3, 3, 0)]]
    jobs = tuple(a_job(dice, f"j{at}") for at in range(dice.pick(0, 1, 2, 3, 4, 5, 6)))
    lines = [line for it in jobs for line in remembered(dice, it)]
    lost = [f"g{at}" for at in range(dice.pick(0, 0, 1, 2))]
    for job_id in lost:
        lines += forgotten(dice, job_id)
    for op in (op_of("j0"), "op000000", "op000001"):
        if dice.pick(False, False, False, True):
            lines.append(intended(dice.work("a"), op, at=NOW - dice.pick(90, 60, 59, 0)))
    return World(
        specs=tuple(specs),
        jobs=jobs,
        lines=tuple(lines),
        gone=frozenset(lost),
        contained_commits=dice.pick(frozenset({HEAD}), frozenset({HEAD}), None),
        odd=dice.pick(*[()] * 15, (nobodys(),)),
    )


def a_spec(dice: Dice, name: str) -> JobSpec:
    return dice.work(
        name,
        suspend=dice.pick(False, False, False, True),
        retry=retrying(dice.pick(1, 2, 3), *dice.pick((FAILED, TIMED_OUT), (FAILED,), (TIMED_OUT,))),
        on_change=dice.pick("replace", "auto", "finish"),
        reuse=dice.pick(False, False, True),
        on_remove=dice.pick("cancel", "keep"),
        checks=Checks(failed=dice.pick(0.0, 0.5)),
    )


def an_adopt(dice: Dice, it: JobSpec) -> JobSpec:
    """In most cases none; otherwise a job by its id: ours, a foreign one, or one that does not exist."""
    job_id = dice.pick(*[None] * 6, "j0", "j1", "j2", "x0")
    return adopting(it, job_id, work=dice.pick(it, it, dice.work("a"))) if job_id else it


def a_job(dice: Dice, job_id: str) -> Job:
    answered = dice.pick(0, 0, 5)
    return job(
        dice.work(dice.pick(*NAMES)),
        job_id,
        dice.pick(ACTIVE, SUCCEEDED, FAILED, CANCELLED, ACTIVE, ACTIVE, TIMED_OUT, STOPPING, UNKNOWN),
        attempt=dice.pick(1, 1, 1, 2, 3),
        age=dice.pick(100, 100, 200, 300),
        commit=dice.pick(HEAD, HEAD, "", ELSEWHERE),
        root=dice.pick("", "", "", "", "", "other"),
        on_remove=dice.pick("cancel", "cancel", "keep"),
        altered=dice.pick(
            *[NOTHING] * 12,
            {tags.RUN: "v=1"},
            {tags.RUN: "v=1", tags.NAME: None},
            {tags.RUN: "v=2 attempt=1"},
            {tags.PROJECT: None},
            dict.fromkeys((tags.PROJECT, tags.NAME, tags.WORK, tags.RUN)),
            dict.fromkeys((tags.PROJECT, tags.NAME, tags.WORK, tags.RUN)),
            {tags.PROJECT: "other"},
        ),
        completed_requests=answered,
        succeeded_requests=answered,
        failed_requests=dice.pick(0, 0, 1, 6),
    )


def remembered(dice: Dice, it: Job) -> list[Line]:
    """What a ledger that saw some of it says about a job that is listed."""
    lines: list[Line] = []
    known = tags.read(it) if tags.project_of(it) else None
    if isinstance(known, OwnedJob):
        about = job_facts(known)
        if dice.pick(False, True):
            lines.append(CreateConfirmed(at=NOW, run_id="r1", op=known.tags.op, **about))
        if it.phase in ENDED and dice.pick(False, True):
            lines.append(Ended(at=NOW, run_id="r1", **about))
    if it.phase in (CANCELLED, STOPPING, SUCCEEDED) and dice.pick(False, True):
        lines += cancelled_perhaps(dice, it.id)
    return lines


def cancelled_perhaps(dice: Dice, job_id: str) -> tuple[Line, ...]:
    """A cancel that the API accepted, or one that may never have been sent."""
    reason = a_reason(dice)
    return stopped(job_id, reason) if dice.pick(True, True, False) else (meant(job_id, reason),)


def a_reason(dice: Dice) -> str:
    return dice.pick("removed", "suspended", "superseded", "duplicate")


def forgotten(dice: Dice, job_id: str) -> list[Line]:
    """What a ledger says about a job whose record is gone."""
    of, attempt = dice.work("a"), dice.pick(1, 2, 3)
    lines: list[Line] = [created(of, job_id, attempt=attempt)]
    if dice.pick(False, True):
        lines.append(ended(of, job_id, dice.pick(SUCCEEDED, FAILED, TIMED_OUT), attempt=attempt))
    if dice.pick(False, True):
        lines += cancelled_perhaps(dice, job_id)
    return lines


_new_ids: Final = count()


def after(world: World, plan: Plan, *, cancelled: Phase = CANCELLED) -> World:
    """The world once a plan was applied and nothing else happened.

    Args:
        world: before.
        plan: what is applied.
        cancelled: what a cancel leaves behind: STOPPING, or CANCELLED already.
    """
    stops = {cancel.owned.job.id: cancel for cancel in plan.of(Cancel)}
    jobs = [_with(it, cancelled) if it.id in stops else it for it in world.jobs]
    lines = list(world.lines)
    for job_id, cancel in stops.items():
        lines += (
            meant(job_id, cancel.reason, at=world.now),
            CancelEnded(at=world.now, run_id="r1", job_id=job_id, status=STATUS[cancelled]),
        )
    over = {
        create.spec.name: [it.owned.job.id for it in decision.of(Cancel) if it.duplicate_of is None]
        for decision in plan.decisions
        for create in decision.of(Create)
    }
    for create in plan.of(Create):
        job_id = f"n{next(_new_ids)}"
        commit = HEAD if world.contained_commits else ""
        submitted = job(
            create.spec,
            job_id,
            ACTIVE,
            attempt=create.attempt,
            age=0,
            commit=commit,
            over=over[create.spec.name],
        )
        jobs.append(structs.replace(submitted, created_at=int(world.now)))
        lines += (
            intended(create.spec, op_of(job_id), at=world.now, attempt=create.attempt),
            created(create.spec, job_id, at=world.now, attempt=create.attempt),
        )
    return replace(world, jobs=tuple(jobs), lines=tuple(lines))


def later(world: World, end: Phase) -> World:
    """The world after a day in which everything that ran ended as `end`, and everything stopping was cancelled."""
    adopted = {it.adopt.job for it in world.specs if it.adopt}
    ends = {ACTIVE: end, STOPPING: CANCELLED}
    return replace(
        world,
        jobs=tuple(
            _with(it, ends.get(it.phase, it.phase)) if _is_ours(it) or it.id in adopted else it
            for it in world.jobs
        ),
        now=world.now + 86_400,
    )


def _is_ours(it: Job) -> bool:
    return it.metadata.get(tags.PROJECT) == PROJECT


def _with(it: Job, phase: Phase) -> Job:
    return structs.replace(it, phase=phase, status=STATUS[phase])


def days(world: World, end: Phase) -> Iterator[tuple[World, Plan]]:
    """One apply a day: the world before each, and its plan."""
    while True:
        plan = world.plan()
        yield world, plan
        world = later(after(world, plan), end)

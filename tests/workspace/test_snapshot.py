"""A snapshot holds nothing that decides nothing, and whatever a pull request declares, its plan is the workspace's."""

from __future__ import annotations

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.ledger.fold import remember
from reconciler.ledger.lines import CreateRefused, Line, NotificationsEnabled
from reconciler.model import Checkout, Job, JobSpec, Observed, Target, tags
from reconciler.planning import planner
from reconciler.planning.actions import Plan
from reconciler.planning.guard_input import GuardInput, Refusal
from reconciler.planning.guards import refusals
from reconciler.planning.quota import Quota, apply_quota
from reconciler.planning.standing import WAITS
from reconciler.plans.agreement import hold_unagreed
from reconciler.plans.plan_file import plan_document
from reconciler.plans.staleness import reconcile_saved_plan
from reconciler.settings import Guards
from reconciler.workspace import observe, snapshot, take_snapshot
from tests.helpers.make import (
    ACTIVE,
    FAILED,
    NOW,
    PROJECT,
    SUCCEEDED,
    created,
    declared,
    ended,
    intended,
    job,
    spec,
)
from tests.helpers.worlds import World, worlds

TARGET = Target(base_url="http://localhost", project=PROJECT)
LATER = st.sampled_from((NOW, NOW + 59, NOW + 3600, NOW + 2 * 86_400))


def taken(
    jobs: tuple[Job, ...], lines: tuple[Line, ...], now: float, *specs: JobSpec, complete: bool = False
) -> snapshot.Snapshot:
    """Return what another machine reads of a snapshot."""
    document = take_snapshot.make(jobs, lines, target=TARGET, now=now, specs=specs, complete=complete)
    return snapshot.decode(snapshot.encode(document), TARGET)


def decided(
    specs: tuple[JobSpec, ...],
    lines: tuple[Line, ...],
    jobs: tuple[Job, ...],
    seen: snapshot.Snapshot | None,
    now: float,
) -> tuple[Plan, tuple[Refusal, ...]]:
    """Return the plan and the refusals of the guards, from the workspace or from a snapshot."""
    wanted = frozenset(key for it in specs for key in it.run_keys)
    adopted = frozenset(it.adopt.job for it in specs if it.adopt)
    watched = observe.Watched(project=PROJECT, wanted=wanted, adopted=adopted)
    memory = remember(lines, settle_seconds=60)
    if seen is None:
        gone = memory.jobs.keys() - {it.id for it in jobs}
        known = observe.by_memory(memory, jobs)
        observed = observe.sort_out(jobs, watched, missing_ids=frozenset(gone), known=known)
    else:
        observed = seen.observed(watched, memory)
    observed = structs.replace(observed, read_started_at=now, snapshot_taken_at=now)
    memory = memory.reopened(observed.missing_ids, now=now)
    found = planner.plan(declared(*specs), observed, memory, now=now)
    found = apply_quota(found, observed.pending, Quota(workspace=30, project=20))
    given = GuardInput(
        plan=found, declared=declared(*specs), observed=observed, memory=memory, settings=Guards(), now=now
    )
    return found, refusals(given)


@given(worlds(), worlds(), LATER)
def test_any_specs_are_decided_from_a_snapshot_as_from_the_workspace(
    world: World, pull: World, now: float
) -> None:
    """The specs of a pull request may declare any name and any work again, that of the snapshot or another one."""
    for specs, complete in (
        (world.specs, True),
        (world.specs, False),
        (theirs_of(pull, world.specs), False),
        ((), True),
    ):
        seen = taken(world.jobs, world.lines, now, *world.specs, complete=complete)
        here = decided(specs, world.lines, world.jobs, None, now)
        there = decided(specs, seen.ledger, seen.jobs, seen, now)
        event(f"lines left out: {len(seen.ledger) < len(world.lines)}")
        assert there[1] == here[1]
        assert summary(there[0]) == summary(here[0])


def theirs_of(pull: World, then: tuple[JobSpec, ...]) -> tuple[JobSpec, ...]:
    """Return the specs of a pull request. A foreign job that only they adopt is not in the snapshot."""
    adopting = {it.adopt.job for it in then if it.adopt}
    return tuple(it for it in pull.specs if not it.adopt or it.adopt.job in adopting)


@given(worlds(), worlds(), st.sets(st.sampled_from(("a", "b", "c"))))
def test_whatever_is_declared_again_a_plan_from_a_snapshot_is_applied_and_submits_nothing_twice(
    world: World, pull: World, names: set[str]
) -> None:
    """Jobs that succeeded long ago are left out of the snapshot. What only they decide is found by the apply."""
    now = NOW + 2 * 86_400
    then = tuple(it for it in world.specs if it.name in names)
    theirs = theirs_of(pull, then)
    seen = taken(world.jobs, world.lines, now, *then, complete=True)
    event(f"jobs left out: {len(seen.jobs) < len(world.jobs)}")
    here, _ = decided(theirs, world.lines, world.jobs, None, now)
    there, _ = decided(theirs, seen.ledger, seen.jobs, seen, now)
    document = plan_document(
        there,
        target=TARGET,
        checkout=Checkout(),
        declared=declared(*theirs),
        observed=Observed(),
        refusals=(),
        now=0,
    )
    wanted = frozenset(key for it in theirs for key in it.run_keys)
    adopted = frozenset(it.adopt.job for it in theirs if it.adopt)
    watched = observe.Watched(project=PROJECT, wanted=wanted, adopted=adopted)
    result = reconcile_saved_plan(document, here, observe.sort_out(world.jobs, watched))
    assert result.broken == (), "the plan stays usable"
    waiting = {f"create {it.name}" for it in there.decisions if it.standing in WAITS}
    assert {it for it in result.extra if it.startswith("create")} <= waiting, "and shows every create"
    assert hold_unagreed(result.plan, document) == result.plan


def summary(plan: Plan) -> list[object]:
    """Return everything that a reader sees of a plan; jobs by id, since a snapshot lacks facts that decide nothing."""
    document = plan_document(
        plan, target=TARGET, checkout=Checkout(), declared=declared(), observed=Observed(), refusals=(), now=0
    )
    return [document.summary, *document.decisions]


def test_a_snapshot_has_no_job_of_another_project_and_no_name_of_theirs() -> None:
    theirs = job(spec("their-secret-name"), "x1", SUCCEEDED, altered={tags.PROJECT: "lab"})
    document = take_snapshot.make((job(spec("a"), "j1"), theirs), (), target=TARGET, now=NOW)
    assert [it.id for it in document.jobs] == ["j1"]
    assert document.other_jobs == 1
    assert "their-secret-name" not in snapshot.encode(document).decode()
    assert "x1" not in snapshot.encode(document).decode()


def test_a_job_that_succeeded_is_in_a_snapshot_while_a_spec_or_another_job_has_its_name_or_its_work() -> None:
    gone = [job(spec(name, work=name), f"j{name}", SUCCEEDED) for name in ("a", "b", "c", "d", "e")]
    failed = job(spec("f", work="f"), "jf", FAILED)
    live = job(spec("a", work="other"), "live", ACTIVE)
    renamed, kept = spec("new-name", work="b"), spec("c", work="new")
    day = NOW + 2 * 86_400
    recent = structs.replace(job(spec("g", work="g"), "jg", SUCCEEDED), created_at=int(day - 3600))
    jobs = (*gone, failed, live, recent)
    seen = taken(jobs, (), day, renamed, kept, complete=True)
    assert [it.id for it in seen.jobs] == ["ja", "jb", "jc", "jf", "live", "jg"]
    assert (seen.other_jobs, seen.other_projects) == (2, ())
    assert len(taken(jobs, (), day, renamed, kept).jobs) == len(jobs), (
        "specs that cannot be read may declare any"
    )
    # Of those that the ledger knows, one stays, with its line: they show that this is the ledger's workspace.
    lines = tuple(created(spec(name, work=name), f"j{name}") for name in ("d", "e"))
    seen = taken(jobs, lines, day, renamed, kept, complete=True)
    assert ({it.id for it in seen.jobs} & {"jd", "je"}, seen.ledger) == ({"jd"}, lines[:1])


def test_a_snapshot_names_no_person_and_no_ci_run() -> None:
    made = job(spec("a"), "j1", ACTIVE)
    source = "commit=c0ffee root=services/search actor=ada run=https://ci.example.org/5 approver=grace"
    made = structs.replace(made, metadata={**made.metadata, tags.SOURCE: source})
    (it,) = take_snapshot.make((made,), (), target=TARGET, now=NOW).jobs
    assert (it.metadata or {})[tags.SOURCE] == "commit=c0ffee root=services/search"


def test_the_ledger_in_a_snapshot_has_only_what_the_list_does_not_explain() -> None:
    done = [spec(name, work=name) for name in ("a", "b", "c")]
    jobs = tuple(job(it, f"j{it.name}", SUCCEEDED) for it in done)
    lines: list[Line] = [NotificationsEnabled(at=NOW, run_id="r1")]
    for it in done:
        lines += [
            intended(it, f"op-of-{it.name}"),
            created(it, f"j{it.name}"),
            ended(it, f"j{it.name}", SUCCEEDED),
        ]
    open_create = intended(spec("d", work="d"), "op-open")
    refused = intended(spec("e", work="e"), "op-refused")
    lines += [open_create, refused, CreateRefused(at=NOW, run_id="r1", op="op-refused", error="422")]
    kept = taken(jobs, tuple(lines), NOW + 2 * 86_400).ledger
    assert open_create in kept
    about = {getattr(it, "job_id", "") for it in kept}
    assert about == {"ja", ""}, "one job stays, to recognise the workspace"
    assert not [it for it in kept if isinstance(it, CreateRefused | NotificationsEnabled)]

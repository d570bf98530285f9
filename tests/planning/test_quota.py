"""The workspace's limits: which creates fit, and which are held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.ledger.memory import Memory
from reconciler.model import Job, JobSpec, Pending
from reconciler.planning.actions import Cancel, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.planning.guard_input import GuardInput
from reconciler.planning.guards import refusals
from reconciler.planning.planner import plan
from reconciler.planning.quota import Quota, apply_quota
from reconciler.settings import Guards
from tests.helpers.make import NOW, SUCCEEDED, declared, file_of, job, seen, spec


def of(name: str, requests: int) -> JobSpec:
    return spec(name, inputs=(file_of(name, requests=requests),))


def fitted(specs: tuple[JobSpec, ...], *jobs: Job, workspace: int = 1000, project: int | None = None) -> Plan:
    observed = seen(specs, *jobs)
    decided = plan(declared(*specs), observed, Memory(), now=NOW)
    return apply_quota(decided, observed.pending, Quota(workspace=workspace, project=project))


def decision(made: Plan, name: str) -> Decision:
    return next(it for it in made.decisions if it.name == name)


def test_what_fits_stays_as_it_was() -> None:
    specs = (of("a", 500), of("b", 500))
    observed = seen(specs)
    decided = plan(declared(*specs), observed, Memory(), now=NOW)
    assert apply_quota(decided, observed.pending, Quota(workspace=1000)) == decided


def test_what_does_not_fit_is_held_in_order_of_name_and_what_is_small_enough_goes_on() -> None:
    made = fitted((of("a", 600), of("b", 600), of("c", 400)))
    assert [create.spec.name for create in made.of(Create)] == ["a", "c"]
    (hold,) = made.of(Hold)
    assert (hold.reason, hold.attention) == (Reason.QUOTA, False)
    assert hold.detail == (
        "600 requests and the pending ones (600 of this project and 0 of others) exceed the workspace's limit of 1,000"
    )


def test_pending_requests_of_strangers_count_and_are_shown_apart() -> None:
    stranger = structs.replace(job(spec("x"), "j-1", total_requests=700, completed_requests=100), metadata={})
    mine = job(of("a", 300), "j-2")
    made = fitted((of("a", 300), of("b", 200)), stranger, mine)
    (hold,) = decision(made, "b").of(Hold)
    assert "(300 of this project and 600 of others)" in hold.detail


def test_what_has_ended_is_not_pending() -> None:
    done = job(of("a", 900), "j-1", phase=SUCCEEDED)
    assert seen((), done).pending == Pending()


def test_a_job_that_never_fits_needs_a_person() -> None:
    (hold,) = fitted((of("a", 1001),)).of(Hold)
    assert hold.attention


def test_this_projects_own_share_holds_too() -> None:
    made = fitted((of("a", 60), of("b", 60)), project=100)
    (hold,) = made.of(Hold)
    assert "limits.max_pending" in hold.detail


def test_a_replace_that_fits_only_afterwards_cancels_first_and_says_so() -> None:
    old, new = of("a", 600), spec("a", inputs=(file_of("other", requests=700),))
    made = decision(fitted((new,), job(old, "j-1")), "a")
    assert [type(action) for action in made.actions] == [Create, Cancel]
    assert made.of(Cancel)[0].cancel_before_create
    (note,) = made.notes
    assert note == (
        "700 requests and the pending ones (600 of this project and 0 of others) exceed the workspace's limit of "
        "1,000, so the job that it replaces is cancelled first"
    )


def test_what_comes_after_such_a_replace_finds_the_lesser_room_of_both() -> None:
    old, new = of("a", 600), spec("a", inputs=(file_of("other", requests=700),))
    made = fitted((new, of("b", 301), of("c", 300)), job(old, "j-1"))
    assert [create.spec.name for create in made.of(Create)] == ["a", "c"], "600 and then 700 are pending of a"


def test_a_replace_that_fits_in_neither_way_leaves_the_old_job_alone() -> None:
    old, new = of("a", 100), spec("a", inputs=(file_of("other", requests=700),))
    made = decision(fitted((new, of("b", 800)), job(old, "j-1"), job(of("b", 800), "j-2")), "a")
    assert [type(action) for action in made.actions] == [Hold, Keep]
    assert not made.pending


def test_of_twins_that_a_replace_without_room_leaves_alone_the_oldest_stays() -> None:
    old = of("a", 300)
    made = fitted((of("a", 900),), job(old, "j-2", age=10), job(old, "j-1", age=20), workspace=700)
    (keep,) = made.of(Keep)
    assert keep.job is not None
    assert keep.job.id == "j-1"
    (cancel,) = made.of(Cancel)
    assert (cancel.owned.job.id, cancel.reason, cancel.duplicate_of) == ("j-2", Reason.DUPLICATE, keep.job)


@given(st.lists(st.integers(1, 1200), max_size=8), st.integers(0, 1200))
def test_what_is_created_never_exceeds_the_quota(sizes: list[int], pending: int) -> None:
    specs = tuple(of(f"n{at}", size) for at, size in enumerate(sizes))
    decided = plan(declared(*specs), seen(specs), Memory(), now=NOW)
    made = apply_quota(decided, Pending(others=pending), Quota(workspace=1000))
    created = sum(create.spec.requests or 0 for create in made.of(Create))
    assert not created or created + pending <= 1000
    assert len(made.of(Create)) + len(made.of(Hold)) == len(sizes)


def test_a_create_that_is_not_sent_takes_no_room_and_stays() -> None:
    specs = (of("a", 900), of("b", 600), of("c", 600))
    decided = plan(declared(*specs), seen(specs), Memory(), now=NOW)
    made = apply_quota(decided, Pending(), Quota(workspace=1000), {"b", "c"})
    assert [create.spec.name for create in made.of(Create)] == ["a", "b"]


def test_the_requests_of_a_day_are_counted_from_the_list() -> None:
    old, new = of("a", 600), spec("a", inputs=(file_of("other", requests=700),))
    jobs = (job(old, "j-1", phase=SUCCEEDED, age=3600),)
    observed = seen((new,), *jobs)

    def refused(limit: int | None, now: float = NOW) -> list[str]:
        proposal = GuardInput(
            plan=plan(declared(new), observed, Memory(), now=now),
            declared=declared(new),
            observed=observed,
            memory=Memory(),
            settings=Guards(max_requests_per_day=limit),
            now=now,
        )
        return [refusal.guard for refusal in refusals(proposal)]

    assert refused(None) == []
    assert refused(1300) == []
    assert refused(1299) == ["max_requests_per_day"]
    assert refused(1299, now=NOW + 90_000) == []

"""How many requests of a work are in each state, by the tags and counts of its jobs."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict

from reconciler.model import OwnedJob, Phase
from reconciler.model.requests import WorkCounts
from reconciler.planning.tally import STATES, Tally, by_counts, by_ledger
from tests.helpers.make import owned, spec

A = spec("a")
S, F, T, C, R = Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED, Phase.ACTIVE


def job(
    phase: Phase,
    asked: int,
    ok: int = 0,
    failed: int = 0,
    *,
    part: tuple[int, int] | None = None,
    attempt: int = 1,
) -> OwnedJob:
    """A job that was asked so many requests; of a part, `part` is how many the work has and were answered before."""
    return owned(
        A,
        f"j{attempt}",
        phase,
        attempt=attempt,
        age=1000 - attempt,
        total_requests=asked,
        succeeded_requests=ok,
        failed_requests=failed,
        output_file="o" if ok else None,
        part=None if part is None else (asked, *part),
    )


CASES: dict[str, tuple[tuple[OwnedJob, ...], dict[str, int]]] = {
    "nothing was submitted": ((), {"new": 10}),
    "a job runs": ((job(R, 10, 3, 1),), {"answered": 3, "failed": 1, "live": 6}),
    "a job has answered all": ((job(S, 10, 10),), {"answered": 10}),
    "a job has timed out": ((job(T, 10, 4),), {"answered": 4, "failed": 6}),
    "a person cancelled a job": ((job(C, 10, 4, 1),), {"answered": 4, "failed": 1, "stopped": 5}),
    "a canary runs": ((job(R, 3, 1, part=(10, 0)),), {"answered": 1, "live": 2, "new": 7}),
    "a canary has ended": ((job(S, 3, 2, 1, part=(10, 0)),), {"answered": 2, "failed": 1, "new": 7}),
    "the rest runs, without a failure of the canary": (
        (job(S, 3, 2, 1, part=(10, 0)), job(R, 7, part=(10, 2), attempt=2)),
        {"answered": 2, "live": 7, "failed": 1},
    ),
    "a retry has failed again": (
        (job(S, 10, 7, 3), job(S, 2, 0, 2, part=(10, 7), attempt=2)),
        {"answered": 7, "failed": 3},
    ),
    "a retry answers the rest": (
        (job(T, 10, 4), job(S, 6, 6, part=(10, 4), attempt=2)),
        {"answered": 10},
    ),
    "a failed job is submitted again whole": (
        (job(F, 10), job(R, 10, 2, attempt=2)),
        {"answered": 2, "live": 8},
    ),
}


@pytest.mark.parametrize(("jobs", "expected"), CASES.values(), ids=list(CASES))
def test_every_request_is_in_one_state(jobs: tuple[OwnedJob, ...], expected: dict[str, int]) -> None:
    found = by_counts(10, jobs, lambda _: False)
    assert {name: number for name in STATES if (number := getattr(found, name))} == expected
    assert sum(expected.values()) == 10


def test_what_this_tool_cancelled_is_new() -> None:
    assert by_counts(10, [job(C, 10, 4)], lambda _: True) == Tally(of=10, answered=4, new=6)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("part", [None, (10, 0), (10, 8), (10, 99)])
@pytest.mark.parametrize("numbers", [(0, 0), (3, 1), (99, 99)])
def test_odd_numbers_of_the_api_are_no_more_than_the_work_has(
    phase: Phase, part: tuple[int, int] | None, numbers: tuple[int, int]
) -> None:
    first, second = job(S, 4, 3, 1, part=(10, 0)), job(phase, 6, *numbers, part=part, attempt=2)
    found = asdict(by_counts(10, [first, second], lambda _: False))
    counted = [found[name] for name in STATES]
    assert sum(counted) == found["of"] == 10
    assert min(counted) >= 0


def test_what_a_run_found_that_joined_all_results_is_believed() -> None:
    seen = WorkCounts(of=10, answered=6, kinds={"invalid": 2, "http_400": 1, "missing": 1}, left=3, stopped=1)
    assert by_ledger(seen) == Tally(of=10, answered=6, failed=2, stopped=1, new=1, read=True)

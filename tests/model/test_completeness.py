"""What was submitted, what the API counts, and what the files hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import Job, Phase
from reconciler.model.completeness import Received, difference, missing_requests

numbers = st.integers(0, 4)
submitted = st.none() | st.integers(1, 4)
received = st.none() | st.builds(Received, ok=numbers, failed=numbers)


def ended(
    total: int, ok: int, failed: int = 0, *, file: str | None = "f", phase: Phase = Phase.SUCCEEDED
) -> Job:
    """Return a job that has ended with these numbers."""
    return Job(
        id="j1",
        phase=phase,
        status=phase.value,
        endpoint="/v1/ocr",
        created_at=1,
        total_requests=total,
        succeeded_requests=ok,
        failed_requests=failed,
        output_file=file,
    )


jobs = st.builds(ended, total=numbers, ok=numbers, failed=numbers, file=st.sampled_from([None, "f"]))

COMPLETE = {
    "everything is answered": (ended(5, 5), 5, None),
    "some failed, and the API says so": (ended(5, 3, 2), 5, Received(3, 2)),
    "all failed, so there is no output file": (ended(5, 0, 5, file=None), 5, None),
    "the number of submitted requests is unknown": (ended(5, 5), None, Received(5, 0)),
    "nothing is known": (ended(0, 0, file=None), None, None),
    "the API counts more than was submitted": (ended(6, 6), 5, Received(6, 0)),
}


@pytest.mark.parametrize(("job", "asked", "files"), COMPLETE.values(), ids=COMPLETE.keys())
def test_numbers_that_agree_are_no_difference(job: Job, asked: int | None, files: Received | None) -> None:
    assert difference(job, asked, files) == ""


DIFFERENT = {
    "3 of 5 requests have no answer": (ended(5, 2), 5, None),
    "5 of 5 requests have no answer": (ended(0, 0, file=None), 5, None),
    "2 of 5 requests have no answer; the API counts only 3 requests": (ended(3, 3), 5, None),
    "5 of 5 requests have no answer; the API counts 5 answers and names no output file": (
        ended(5, 5, file=None),
        None,
        None,
    ),
    "2 of 5 requests have no answer; the API counts 5 answers and 0 failures, the files have 3 and 0": (
        ended(5, 5),
        5,
        Received(3, 0),
    ),
    "the API counts 0 answers and 0 failures, the files have 5 and 0": (ended(5, 0), 5, Received(5, 0)),
    "1 of 5 requests have no answer": (ended(5, 4), None, Received(4, 0)),
}


@pytest.mark.parametrize(("words", "row"), DIFFERENT.items(), ids=DIFFERENT.keys())
def test_a_difference_is_named(words: str, row: tuple[Job, int | None, Received | None]) -> None:
    assert difference(*row) == words


@given(jobs, submitted, received)
def test_a_success_is_complete_if_every_request_is_accounted_for_and_every_answer_is_there(
    job: Job, asked: int | None, files: Received | None
) -> None:
    there = job.succeeded_requests == 0 or job.output_file is not None
    answered = job.succeeded_requests + job.failed_requests
    all_counted = asked is None or job.total_requests in (0, *range(asked, 99))
    complete = there and answered >= max(job.total_requests, asked or 0)
    agree = files is None or files == (job.succeeded_requests if there else 0, job.failed_requests)
    known = max(job.total_requests, answered, asked or 0)
    counted = job.total_requests == 0 or job.total_requests >= known
    assert (difference(job, asked, files) == "") == (complete and agree and counted and all_counted)


@given(jobs, submitted, st.sampled_from([it for it in Phase if it is not Phase.SUCCEEDED]))
def test_only_a_success_promises_anything(job: Job, asked: int | None, phase: Phase) -> None:
    other = ended(job.total_requests, job.succeeded_requests, job.failed_requests, phase=phase)
    assert difference(other, asked) == ""


@given(ok=numbers, failed=numbers, missing=numbers, tagged=st.booleans())
def test_missing_requests_are_those_that_are_left(
    ok: int, failed: int, missing: int, *, tagged: bool
) -> None:
    """Of requests that were answered, failed or lost, the lost ones are missing: by counters and by files."""
    whole = ok + failed + missing
    job = ended(0 if tagged else whole, ok, failed)
    assert missing_requests(job, whole if tagged else None) == (missing if whole else None)
    silent = ended(whole, 0, 0, file=None)  # its counters know nothing, and the files are here
    assert missing_requests(silent, None, Received(ok, failed)) == (missing if whole else None)

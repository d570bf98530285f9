"""`retry` allows one more attempt at what has no answer, and at nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.cli.stage import Stage
from tests.cli.test_requests import STUCK, TIMEOUT, apply
from tests.helpers.requests_of import asked


def held_after_a_person(stage: Stage, *, after: float = 60) -> None:
    """A person cancels the job of `a`, and nothing is submitted."""
    apply(stage, after=after)
    stage.cancel_in_console(str(stage.jobs()[0]["id"]))
    stage.advance(60)
    before = len(asked(stage))
    assert "reconciler retry a" in apply(stage).out
    assert len(asked(stage)) == before


def test_what_a_person_cancelled_goes_on_after_retry(stage: Stage, golden: Callable[..., None]) -> None:
    stage.spec("a", requests=10, retry={"max_attempts": 2})
    apply(stage, after=0)
    stage.cancel_in_console(str(stage.jobs()[0]["id"]))
    stage.advance(60)
    held = stage.run("apply", "--yes")
    retried = stage.run("retry", "a")
    golden(held, retried, stage.run("apply", "--yes"))
    assert [len(part) for part in asked(stage)] == [10, 10]
    stage.advance(60)
    assert "SUCCESS" in stage.run("status").out


def test_after_retry_only_what_the_cancelled_job_did_not_answer_is_submitted(stage: Stage) -> None:
    stage.spec("a", requests=10, model=STUCK, timeout_hours=24, retry={"max_attempts": 2})
    held_after_a_person(stage)
    stage.run("retry", "a")
    apply(stage, after=TIMEOUT)
    whole, rest = asked(stage)
    assert rest == whole[5:], "half of the requests were answered before the cancel"


def test_a_canary_that_a_person_cancelled_goes_on_after_retry(stage: Stage) -> None:
    stage.spec("a", requests=10, retry={"max_attempts": 2}, canary={"requests": 3})
    apply(stage, after=0)
    stage.cancel_in_console(str(stage.jobs()[0]["id"]))
    stage.advance(60)
    stage.run("retry", "a")
    apply(stage)
    apply(stage)
    answered = [custom_id for part in asked(stage)[1:] for custom_id in part]
    assert len(answered) == len(set(answered)) == 10


def test_a_second_cancel_after_retry_is_respected_too(stage: Stage) -> None:
    stage.spec("a", requests=10, retry={"max_attempts": 2})
    held_after_a_person(stage, after=0)
    stage.run("retry", "a")
    apply(stage, after=0)
    stage.cancel_in_console(max(stage.jobs(), key=lambda job: job["created_at"])["id"])
    stage.advance(60)
    for _ in range(2):
        assert "cancelled by hand" in apply(stage).out
    assert len(asked(stage)) == 2


def test_what_failed_as_often_as_allowed_is_tried_once_more_after_retry(stage: Stage) -> None:
    stage.spec("a", requests=4, retry={"max_attempts": 1, "on": ["http_429"]})
    file = stage.root / "specs/data/a.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[1]["custom_id"] += "!fail-429"
    rows[2]["custom_id"] += "!fail-400"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    apply(stage)
    apply(stage)
    stage.run("retry", "a")
    apply(stage)
    apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 1], "400 is not named in `retry.on`"
    said = stage.run("plan").out
    assert "add http_400 to `retry.on`, then reconciler retry a" in said


def test_the_retry_of_a_job_that_answered_nothing_is_no_duplicate_of_it(stage: Stage) -> None:
    """All requests failed in a job with the status SUCCESS, so its retry asks all of them, as no part of the work."""
    stage.spec("a", requests=4, retry={"max_attempts": 3, "on": ["http_429"]})
    file = stage.root / "specs/data/a.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text(
        "".join(json.dumps(row | {"custom_id": f"{row['custom_id']}!fail-429"}) + "\n" for row in rows)
    )
    apply(stage)
    for attempts in (2, 3, 3):
        apply(stage, after=0.1)
        stage.advance(60)
        assert [len(part) for part in asked(stage)] == [4] * attempts
        assert [job["status"] for job in stage.jobs()] == ["SUCCESS"] * attempts


def test_as_many_kinds_as_a_spec_may_list_are_retried(stage: Stage) -> None:
    stage.spec("a", requests=2, retry={"max_attempts": 2, "on": [f"http_{at}" for at in range(400, 500)]})
    inputs = stage.root / "specs/data/a.jsonl"
    inputs.write_text(inputs.read_text().replace('"r0"', '"r0!fail-499"'))
    assert apply(stage).code == 0
    apply(stage)
    assert [len(part) for part in asked(stage)] == [2, 1]

"""A `rerun` with a period beside an input that changes by itself: the plan says that both submit."""

from __future__ import annotations

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import Stage

DAY = 86_400
HINT = "remove `rerun`"


def night(stage: Stage, number: int) -> None:
    """Rewrite the file, as a script does every night."""
    stage.lines("specs/data/nightly.jsonl", 3, text=f"night {number}")


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_a_new_input_within_a_period_is_noted(stage: Stage, every: str) -> None:
    stage.spec("nightly", rerun={"every": every})
    assert HINT not in stage.run("plan").out
    assert stage.run("apply", "--yes").code == 0
    stage.advance(3600)
    night(stage, 1)
    plan = stage.run("plan").out
    assert f"`rerun: {{every: {every}}}` has already submitted the earlier input in this period" in plan
    assert HINT in plan


def test_the_file_of_the_day_before_is_noted_before_it_is_submitted_again(stage: Stage) -> None:
    stage.spec("nightly", rerun={"every": "day"})
    for number in range(2):
        night(stage, number)
        assert stage.run("apply", "--yes").code == 0
        stage.advance(DAY)
    plan = stage.run("plan").out
    assert "the same input as before, for a new period (day), but the input has changed in the past" in plan
    assert HINT in plan


def test_one_input_for_every_period_is_not_noted(stage: Stage) -> None:
    stage.spec("nightly", rerun={"every": "day"})
    for _ in range(3):
        result = stage.run("apply", "--yes")
        assert (result.code, HINT in result.out) == (0, False)
        stage.advance(DAY)


def test_a_plain_rerun_is_not_noted(stage: Stage) -> None:
    stage.spec("nightly", rerun="2026-09-21")
    assert stage.run("apply", "--yes").code == 0
    night(stage, 1)
    assert HINT not in stage.run("plan").out


def test_requests_that_are_not_known_here_are_not_counted_as_none(stage: Stage) -> None:
    stage.spec("one", input_files=["00000000-0000-4000-8000-000000000000"])
    (stage.root / "specs/data/one.jsonl").unlink()
    found = conforming("validate", stage.run("validate", "--format", "json").out)
    assert (found["specs"], found["requests"], found["uncounted"]) == (1, 0, 1)
    assert (
        stage.run("validate").out
        == "1 spec valid, requests not counted: uploaded files, Git LFS pointers or URIs\n"
    )
    stage.spec("two", requests=5)
    assert stage.run("validate").out == (
        "2 specs valid, 5 requests; not counted: 1 spec of uploaded files, Git LFS pointers or URIs\n"
    )

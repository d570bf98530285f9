"""What a removal loses, and what a restore reuses, in numbers."""

from __future__ import annotations

import json
import re

from tests.cli.stage import Stage


def half_answered(stage: Stage) -> int:
    """A running job of 500 requests, and how many of them are answered."""
    stage.spec("tickets", requests=500)
    stage.spec("other")
    stage.run("apply", "--yes")
    stage.advance(4)
    job = next(job for job in stage.jobs() if job["name"] == "tickets")
    assert 0 < job["completed_requests"] < 500
    return int(job["completed_requests"])


def test_a_removal_and_its_restore_say_how_many_answers(stage: Stage) -> None:
    answered = half_answered(stage)
    (stage.root / "specs/tickets.yaml").unlink()
    removal = stage.run("plan")
    assert re.search(rf"note: cancelling \w+ loses {answered:,} answers", removal.out)
    assert f"lose {answered:,} answers" in removal.out
    stage.run("apply", "--yes")
    stage.advance(60)
    stage.spec("tickets", requests=500)
    restored = stage.run("plan")
    assert f"submits {500 - answered:,} of 500 requests, reuses {answered:,}" in restored.out


def test_a_suspension_says_how_many_answers(stage: Stage) -> None:
    answered = half_answered(stage)
    stage.spec("tickets", requests=500, suspend=True)
    assert re.search(rf"note: cancelling \w+ loses {answered:,} answers", stage.run("plan").out)


def test_after_a_rename_each_job_is_counted_once(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        stage.spec(name)
    stage.run("apply", "--yes")
    stage.spec("four", input_files=["data/three.jsonl"])
    (stage.root / "specs/three.yaml").unlink()
    (stage.root / "specs/data/four.jsonl").unlink()
    plan = stage.run("plan")
    assert "3 unchanged: 3 running; 1 renamed (1 note)" in plan.out
    summary = json.loads(stage.run("plan", "--format", "json").out)["plan"]["summary"]
    assert (summary["unchanged"], summary["create"], summary["cancel"]) == (3, 0, 0)

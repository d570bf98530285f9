"""A run that joins results records in the ledger what they show, so that hosts without the results know it."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.stage import Stage
from tests.cli.test_completeness import api
from tests.cli.test_requests import apply, canary
from tests.helpers.requests_of import asked


def seen(stage: Stage) -> list[dict[str, Any]]:
    """The lines of the ledger about the requests of whole works, without their times."""
    (ledger,) = stage.root.rglob("ledger.jsonl")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [{key: it[key] for key in ("counts", "jobs")} for it in lines if it["kind"] == "work_seen"]


def test_a_pull_records_what_an_apply_would(stage: Stage) -> None:
    canary(stage, bad=1)
    stage.run("apply", "--yes")
    stage.advance(60)
    assert seen(stage) == []
    stage.run("outputs", "pull")
    (line,) = seen(stage)
    assert line["counts"] == {"of": 12, "answered": 3, "kinds": {"http_400": 1}, "left": 8}
    stage.run("outputs", "pull")
    apply(stage)
    assert seen(stage) == [line]


def test_counts_that_hide_a_failure_are_wrong_after_a_pull_and_what_failed_is_retried(stage: Stage) -> None:
    stage.spec("a", requests=3)
    stage.run("apply", "--yes")
    stage.advance(60)
    failing = api(content=lambda data: data.replace(b'"status_code":200', b'"status_code":503', 1))
    assert stage.run("plan", env=failing).out.startswith("No changes.")
    stage.run("outputs", "pull", env=failing)
    (line,) = seen(stage)
    assert line["counts"] == {"of": 3, "answered": 2, "kinds": {"http_503": 1}, "left": 1}
    assert "submits 1 of 3 requests" in stage.run("apply", "--yes", env=failing).out
    assert [len(each) for each in asked(stage)] == [3, 1]


def test_a_pull_of_work_that_is_complete_or_not_declared_records_nothing(stage: Stage) -> None:
    stage.spec("a")
    stage.spec("b", requests=2)
    stage.run("apply", "--yes")
    stage.advance(60)
    (stage.root / "specs/b.yaml").unlink()
    stage.run("outputs", "pull")
    assert seen(stage) == []

"""What a run saw in results is in the ledger: others plan with it, and it alone makes nothing be submitted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stage import Fault, Stage
from tests.cli.test_requests import apply, mixed
from tests.helpers.requests_of import asked


def ledger(stage: Stage) -> Path:
    """The ledger's file."""
    (file,) = (stage.root / ".reconciler").rglob("ledger.jsonl")
    return file


def joins(stage: Stage) -> list[dict[str, Any]]:
    """The ledger's lines about joined results, in order."""
    lines = map(json.loads, ledger(stage).read_text().splitlines())
    return [line for line in lines if line["kind"] == "work_seen"]


def settled(stage: Stage) -> None:
    """Submit a work of ten until three requests have failed for good."""
    mixed(stage)
    for _ in range(4):
        apply(stage)


@pytest.mark.needs_ledger("it is about the ledger's lines")
def test_what_results_show_is_recorded_when_it_changes(stage: Stage) -> None:
    settled(stage)
    tallies = [line["counts"] for line in joins(stage)]
    failed = {"of": 10, "answered": 7, "kinds": {"http_400": 1, "http_429": 2}}
    assert tallies == [failed | {"left": 2}, failed | {"left": 2}, failed]
    apply(stage)
    assert len(joins(stage)) == 3
    assert sorted(joins(stage)[-1]["jobs"]) == sorted(job["id"] for job in stage.jobs())


@pytest.mark.needs_ledger("the numbers are the ledger's")
def test_a_plan_from_a_snapshot_shows_the_whole_work(stage: Stage) -> None:
    mixed(stage)
    shown = []
    for _ in range(4):
        apply(stage)
        stage.run("jobs", "snapshot", "seen.json")
        shown.append(stage.run("plan", "--observed", "seen.json").out)
    bounds = ["submits at most 3 of 10 requests, reuses 7" in it for it in shown]
    assert bounds == [True, True, True, False], "a job that no apply has read may have more to retry"
    assert "3 of 10 requests have no answer: 2 http_429, 1 http_400" in shown[-1]
    assert "of 2 requests failed" not in shown[-1]


@pytest.mark.needs_ledger("the numbers are the ledger's")
def test_a_plan_from_a_snapshot_of_a_canary_shows_no_less_than_its_apply_does(stage: Stage) -> None:
    stage.spec("a", requests=12, canary={"requests": 4})
    counts = []
    for _ in range(2):
        stage.run("jobs", "snapshot", "seen.json")
        saved = stage.run("plan", "--observed", "seen.json", "-o", "plan.json")
        assert "at most" in saved.out
        assert stage.run("apply", "plan.json").code == 0
        counts.append(len(asked(stage)[-1]))
        stage.advance(60)
    assert counts == [4, 8]


@pytest.mark.needs_ledger("it forges the ledger's lines")
@pytest.mark.parametrize("answered", [0, 7, 10, 99])
@pytest.mark.parametrize("results", [True, False])
def test_a_forged_line_about_results_submits_nothing_more(
    stage: Stage, answered: int, *, results: bool
) -> None:
    settled(stage)
    before = len(asked(stage))
    line = joins(stage)[-1]
    line["counts"] = {"of": 10, "answered": answered, "left": 10}
    line["at"] += 1
    with ledger(stage).open("a") as file:
        file.write(json.dumps(line) + "\n")
    if not results:
        shutil.rmtree(stage.root / "outputs")
        stage.faults.append(Fault("GET", "/v1/files/.*/content", 500, times=1000))
    for _ in range(2):
        apply(stage)
    assert len(asked(stage)) == before
    stage.faults.clear()
    apply(stage)
    assert len(asked(stage)) == before
    assert joins(stage)[-1]["counts"]["answered"] == 7, "the next run that reads results says what is true"

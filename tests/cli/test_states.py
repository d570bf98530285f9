"""Every command that shows how far work is counts its requests, over all jobs of the work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import Result, Stage
from tests.cli.test_requests import apply


def canary(stage: Stage) -> None:
    """Write a spec of ten requests, three of which are submitted first; one of the others fails for good."""
    stage.spec("a", requests=10, canary={"requests": 3})
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace('"r7"', '"r7!fail-400"'))


def states(result: Result, schema: str) -> list[tuple[Any, str]]:
    """Return the numbers of each row, and when it goes on."""
    return [(row["states"], row["again"]) for row in conforming(schema, result.out)["rows"]]


def test_a_canary_that_runs_needs_a_later_apply(stage: Stage, golden: Callable[..., None]) -> None:
    canary(stage)
    created = stage.run("apply", "--yes")
    job = str(stage.jobs()[0]["id"])[:8]
    plan = stage.run("plan", "--detailed-exitcode")
    assert plan.code == 2
    assert states(stage.run("status", "--format", "json"), "status") == [
        ({"of": 10, "live": 3, "new": 7}, f"when {job} has ended")
    ]
    document = conforming("plan", stage.run("plan", "--format", "json").out)["plan"]
    assert (document["summary"]["again"], document["decisions"][0]["again"]) == (1, f"when {job} has ended")
    golden(created, plan, stage.run("status"), stage.run("plan", "--format", "markdown"))


def test_wait_ends_when_the_work_goes_on_only_with_an_apply(
    stage: Stage, golden: Callable[..., None]
) -> None:
    canary(stage)
    stage.run("apply", "--yes")
    waited = stage.run("wait", "a")
    assert (waited.code, waited.writes) == (6, [])
    assert states(stage.run("wait", "a", "--format", "json"), "wait")[0][0] == {
        "of": 10,
        "answered": 3,
        "new": 7,
        "read": True,
    }
    apply(stage)
    again = stage.run("wait", "a")
    assert again.code == 6
    golden(waited, again, stage.run("status"), stage.run("history"), stage.run("history", "a"))


def test_wait_ends_with_0_when_the_whole_work_is_answered(stage: Stage) -> None:
    stage.spec("a", requests=10, canary={"requests": 3})
    assert stage.run("apply", "--yes", "--wait").code == 0
    done = stage.run("wait", "a", "--format", "json")
    assert (done.code, states(done, "wait")) == (0, [({"of": 10, "answered": 10}, "")])
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_a_snapshot_counts_the_requests_of_the_work_and_not_of_its_last_part(stage: Stage) -> None:
    stage.spec("a", requests=10, retry={"max_attempts": 2, "on": ["http_429"]})
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace('"r7"', '"r7!fail-429"').replace('"r8"', '"r8!fail-429"'))
    file.write_text(file.read_text().replace('"r6"', '"r6!fail-400"'))
    for _ in range(2):
        apply(stage)
    stage.run("jobs", "snapshot", "snapshot.json")
    plan = stage.run("plan", "--observed", "snapshot.json")
    assert "submits at most 3 of 10 requests, reuses 7" in plan.out, "no results show what may be retried"
    assert "of 2 " not in plan.out
    stage.run("outputs", "pull")
    assert "7 of 10 answered, 3 failed" in stage.run("plan").out


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_history_says_how_much_of_the_work_is_answered(stage: Stage, form: str) -> None:
    canary(stage)
    for _ in range(3):
        apply(stage)
    shown = stage.run("history", "--format", form)
    if form == "table":
        assert "OF WORK" in shown.out
        assert "3 of 10" in shown.out
        assert "9 of 10" in shown.out
    else:
        records = json.loads(shown.out)["records"]
        assert [(it["of"], it["reused"], it["succeeded_requests"]) for it in records] == [
            (10, 0, 3),
            (10, 3, 6),
        ]


def works(stage: Stage, *options: str) -> dict[str, Any]:
    """The states of the newest work of each name, as the history counts them."""
    found = json.loads(stage.run("history", *options, "--format", "json").out)["works"]
    return {it["name"]: it["states"] for it in found}


@pytest.mark.parametrize("options", [(), ("--stats",), ("--offline",)])
def test_the_history_counts_the_requests_of_a_name_over_all_parts_as_status_does(
    stage: Stage, options: tuple[str, ...]
) -> None:
    def agree() -> None:
        rows = json.loads(stage.run("status", "--format", "json").out)["rows"]
        shown = {it["name"]: dict(it["states"], read=True) for it in rows if it["states"]}
        assert {
            key: value and dict(value, read=True) for key, value in works(stage, *options).items()
        } == shown

    canary(stage)
    stage.run("apply", "--yes")
    if options != ("--offline",):  # only the list says how far a job is
        agree()
    stage.advance(60)
    stage.run("plan")
    stage.run("apply", "--yes")
    stage.cancel_in_console(max(stage.jobs(), key=lambda job: job["created_at"])["id"])
    stage.advance(60)
    stage.run("apply", "--yes")
    agree()
    table = stage.run("history", *options).out
    assert re.search(r"^a +2 +[0-9]+ of 10 +[0-9]+ stopped$", table, re.MULTILINE), table


def test_a_work_of_which_a_job_is_still_live_by_the_ledger_has_no_numbers_without_the_list(
    stage: Stage,
) -> None:
    canary(stage)
    stage.run("apply", "--yes")
    assert works(stage, "--offline") == {"a": None}
    assert works(stage)["a"] is not None


def test_a_wide_terminal_shows_the_last_runs_and_a_narrow_one_wraps(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.spec("fine", rerun="1")
    stage.run("apply", "--yes", "--wait")
    stage.spec("fine", rerun="2")
    stage.run("apply", "--yes", "--wait")
    stage.spec("fine", rerun="3", requests=5000)
    stage.run("apply", "--yes")
    plain = stage.run("status").out
    monkeypatch.setattr("reconciler.environment.Environment.terminal", lambda *_: True)
    stage.environ |= {"COLUMNS": "140", "NO_COLOR": "1"}
    wide = stage.run("status").out
    assert "LAST RUNS" in wide
    assert "██·" in wide
    assert "LAST RUNS" not in plain
    stage.environ["COLUMNS"] = "60"
    narrow = stage.run("status").out
    assert "LAST RUNS" not in narrow
    assert max(map(len, narrow.splitlines())) <= 60
    stage.spec("a-name-of-22-characters", requests=1200)
    shown = {}
    for columns in range(100, 54, -5):
        stage.environ["COLUMNS"] = str(columns)
        narrow = stage.run("status").out
        assert max(map(len, narrow.splitlines())) <= columns
        shown[columns] = narrow.splitlines()[0].split()
    assert shown[100] == ["NAME", "STATE", "JOB", "ANSWERED", "OTHERS", "AGE", "WHY"]
    assert shown[55] == ["NAME", "STATE", "ANSWERED", "WHY"]
    stage.environ.pop("NO_COLOR")
    assert "\x1b[36mRUNNING" in stage.run("status").out or "\x1b[36mQUEUED" in stage.run("status").out


def test_open_prints_links_of_the_newest_job(stage: Stage) -> None:
    stage.spec("fine")
    stage.environ |= {"RECONCILER_RUN_URL": "https://ci.example/7"}
    stage.run("apply", "--yes", "--wait")
    result = stage.run("open", "fine")
    (job,) = stage.jobs()
    assert result.out.splitlines()[:2] == [f"job      {job['id']}", "run      https://ci.example/7"]
    assert result.out.splitlines()[-1] == "console  ?", "the console has no job of the sandbox"
    assert (
        conforming("open", stage.run("open", "fine", "--format", "json").out)["run"] == "https://ci.example/7"
    )
    assert stage.run("open", "fin").code == 1
    assert "did you mean `fine`?" in stage.run("open", "fin").err

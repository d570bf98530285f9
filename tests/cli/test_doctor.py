"""`reconciler doctor`: checks of the setup."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.stage import Fault, Result, Stage

JOBS = "/v1/batch/jobs"


def verdicts(result: Result) -> dict[str, str]:
    return {it["check"]: it["verdict"] for it in json.loads(result.out)["findings"]}


def details(result: Result) -> dict[str, str]:
    return {it["check"]: it["detail"] for it in json.loads(result.out)["findings"]}


def test_examination_creates_nothing_and_finds_all_in_place(stage: Stage) -> None:
    stage.spec("tickets")
    stage.commit("one spec")
    result = stage.run("doctor", "--format", "json")
    assert (result.code, result.writes) == (0, [])
    assert "failed" not in verdicts(result).values()
    assert details(result)["specs"] == "1 valid, 0 warnings"


def test_without_a_key_the_rest_is_checked_and_the_report_says_what_was_not(stage: Stage) -> None:
    stage.spec("tickets")
    stage.environ.pop("RECONCILER_SANDBOX")
    result = stage.run("doctor", "--format", "json")
    assert (result.code, result.sent) == (1, [])
    assert verdicts(result) == {
        "git": "note",
        "specs": "ok",
        "host and key": "failed",
        "clock": "note",
        "list": "note",
        "ledger": "ok",
        "results": "ok",
    }
    assert details(result)["host and key"] == "no API key"
    assert details(result)["list"] == "not checked: this needs the API key"
    assert "hint: set MISTRAL_API_KEY" in stage.run("doctor").out


def test_a_repository_without_a_commit_is_not_called_something_else(stage: Stage) -> None:
    stage.spec("tickets")
    assert "note     git                    not in a git repository" in stage.run("doctor").out
    stage.git("init", "--quiet")
    assert "note     git                    this repository has no commit yet" in stage.run("doctor").out


def test_a_key_of_another_workspace_is_suspected(stage: Stage) -> None:
    stage.spec("tickets")
    stage.run("apply", "--yes")
    assert verdicts(stage.run("doctor", "--format", "json"))["ledger"] == "ok"
    for file in (stage.root / ".reconciler/sandbox").glob("sandbox.db*"):
        file.unlink()
    reported = stage.run("doctor").out
    assert "remembers 1 job, and the list shows none of them" in reported
    assert "check that the API key is for the right workspace" in reported


def test_one_broken_part_does_not_hide_the_others(stage: Stage) -> None:
    stage.write("specs/broken.yaml", "name: [")
    stage.faults.append(Fault("GET", JOBS, 401, body=b'{"detail":"Unauthorized"}', times=99))
    result = stage.run("doctor", "--format", "json")
    assert result.code == 1
    assert verdicts(result) == {
        "git": "note",
        "specs": "failed",
        "host and key": "failed",
        "list": "failed",
        "ledger": "ok",
        "results": "ok",
    }
    assert "hint: check the key" in stage.run("doctor").out


@pytest.mark.parametrize(("date", "verdict"), [(0, "ok"), (3600, "warning")])
def test_clocks_that_differ_are_reported(stage: Stage, date: int, verdict: str) -> None:
    from email.utils import formatdate

    stage.spec("tickets")
    headers = {"Date": formatdate(stage.clock + date, usegmt=True)}
    body = json.dumps({"object": "list", "total": 0}).encode()
    stage.faults.append(Fault("GET", JOBS, 200, body=body, headers=headers))
    assert verdicts(stage.run("doctor", "--format", "json"))["clock"] == verdict


PUSHES = """\
on:
  push:
  # schedule: [{cron: '7 * * * *'}]
jobs: {apply: {steps: [{run: reconciler apply --yes}]}}
"""
ACTION = """\
on: push
jobs: {apply: {steps: [{uses: ./.github/actions/reconciler, with: {command: apply}}]}}
"""
HOURLY = PUSHES.replace("# schedule", "schedule")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"canary": {"requests": 2}}, "tickets (canary)"),
        ({"on_change": "finish"}, ""),
        ({"requests": 4, "retry": {"max_attempts": 1}}, "tickets (more requests than one job takes)"),
        ({"retry": {"max_attempts": 1}}, ""),
    ],
)
@pytest.mark.parametrize("workflow", [PUSHES, ACTION])
def test_work_that_needs_a_later_apply_needs_a_schedule(
    stage: Stage, fields: dict[str, Any], why: str, workflow: str
) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {requests_per_job: 3}\n")
    stage.spec("tickets", **fields)
    stage.write(".github/workflows/apply.yml", workflow)
    found = details(stage.run("doctor", "--format", "json")).get("schedule", "")
    assert why in found
    assert bool(why) is bool(found)


@pytest.mark.parametrize(("attempts", "after", "why"), [(2, 0, "retry"), (2, 60, ""), (1, 0, "")])
def test_work_that_may_be_retried_needs_a_schedule_until_it_is_complete(
    stage: Stage, attempts: int, after: float, why: str
) -> None:
    stage.spec("tickets", retry={"max_attempts": attempts})
    stage.write(".github/workflows/apply.yml", PUSHES)
    assert "schedule" not in verdicts(stage.run("doctor", "--format", "json"))
    stage.run("apply", "--yes")
    stage.advance(after)
    assert why in details(stage.run("doctor", "--format", "json")).get("schedule", "")
    assert bool(why) is ("schedule" in verdicts(stage.run("doctor", "--format", "json")))


@pytest.mark.parametrize("workflow", [HOURLY, PUSHES.replace("--yes", "--yes --wait"), "on: push\n", None])
def test_a_schedule_or_a_wait_or_no_workflow_needs_no_warning(stage: Stage, workflow: str | None) -> None:
    stage.spec("tickets", canary={"requests": 2})
    if workflow is not None:
        stage.write(".github/workflows/apply.yml", workflow)
    assert "schedule" not in verdicts(stage.run("doctor", "--format", "json"))

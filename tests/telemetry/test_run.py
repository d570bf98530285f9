"""The logs of whole commands: every line of every run matches the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.telemetry.logs import BOUND
from tests.cli.stage import Fault, Stage
from tests.helpers.events import check_lines

JOBS = "/v1/batch/jobs"
PROMPT = "What is the airspeed velocity"


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Stage(tmp_path, capsys)


def reported(stage: Stage, *argv: str) -> list[dict[str, Any]]:
    """Run a command with a log file and return its events; stderr, at the same level, holds the same ones."""
    file = stage.root.parent / f"{stage.root.name}.jsonl"
    file.unlink(missing_ok=True)
    result = stage.run(*argv, "--log-format", "json", "--log-level", "debug", "--log-file", str(file))
    lines = check_lines(file.read_text(encoding="utf-8"))
    shown = "".join(f"{line}\n" for line in result.err.splitlines() if line.startswith("{"))
    assert check_lines(shown) == lines
    return lines


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines if line["event"] != "request.sent"]


def test_a_first_apply_reports_each_step_once(stage: Stage) -> None:
    stage.spec("nightly")
    lines = reported(stage, "apply", "--yes")
    seen = names(lines)
    assert seen[:3] == ["specs.loaded", "jobs.listed", "plan.computed"]
    assert [seen.count(event) for event in ("input.uploaded", "job.created", "apply.finished")] == [1, 1, 1]
    assert seen[-1] == "apply.finished"
    assert lines[-1]["exit_code"] == 0


FAILURES: dict[str, tuple[tuple[str, ...], Callable[[Stage], object], int, str]] = {
    "settings": (("plan",), lambda it: it.write("reconciler.yaml", "project: [\n"), 1, "problem"),
    "a spec": (
        ("apply", "--yes"),
        lambda it: it.write("specs/a.yaml", "nmae: a\n"),
        1,
        "in the specs",
    ),
    "a job": (("jobs", "get", "nightly"), lambda _: None, 64, "nightly"),
    "no key": (("plan", "--no-sandbox"), lambda _: None, 1, "no API key"),
    "the list": (("status",), lambda it: it.faults.append(Fault("GET", JOBS, 403, times=99)), 1, "403"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_log_of_a_command_that_fails_ends_in_its_exit_code_and_message(
    stage: Stage, failure: str
) -> None:
    argv, cause, code, message = FAILURES[failure]
    stage.spec("nightly")
    cause(stage)
    last = reported(stage, *argv)[-1]
    assert (last["event"], last["exit_code"]) == ("command.failed", code)
    assert message in last["error"]


def test_the_log_of_a_command_that_succeeds_holds_no_failure(stage: Stage) -> None:
    stage.spec("nightly")
    assert "command.failed" not in names(reported(stage, "apply", "--yes"))
    assert "command.failed" not in names(reported(stage, "doctor", "--no-sandbox"))


def test_every_line_of_a_run_names_the_run(stage: Stage) -> None:
    stage.spec("nightly")
    commit = stage.commit("a spec")
    first, second = reported(stage, "apply", "--yes"), reported(stage, "plan")
    for lines in (first, second):
        assert len({tuple(line.get(key) for key in BOUND) for line in lines}) == 1
    assert first[0]["run_id"] != second[0]["run_id"]
    assert first[0]["project"] == "shop"
    assert first[0]["commit"] == commit


def test_a_lost_answer_reports_that_it_was_lost_and_found(stage: Stage) -> None:
    stage.spec("nightly")
    stage.faults.append(Fault("POST", JOBS, 502, when="after"))
    lines = reported(stage, "apply", "--yes")
    seen = names(lines)
    assert seen.index("request.failed") < seen.index("job.create_unknown") < seen.index("job.recovered")
    ops = {line["op"] for line in lines if line["event"] in ("job.create_unknown", "job.recovered")}
    assert len(ops) == 1


def test_refusals_and_failures_are_reported(stage: Stage) -> None:
    for name in ("one", "two", "three", "four"):
        stage.spec(name, requests=500)
    reported(stage, "apply", "--yes")
    for name in ("one", "two", "three", "four"):
        (stage.root / f"specs/{name}.yaml").unlink()
        (stage.root / f"specs/data/{name}.jsonl").unlink()
    stage.spec("five")
    assert "guard.refused" in names(reported(stage, "plan"))
    stage.faults += [
        Fault("POST", JOBS, 422, body=b'{"detail": "unknown model"}'),
        Fault("POST", rf"{JOBS}/.*/cancel", 422, body=b'{"detail": "not now"}'),
    ]
    seen = names(reported(stage, "apply", "--yes", "--max-cancel-share", "1"))
    assert {"job.create_failed", "job.cancelled", "job.cancel_failed", "apply.finished"} <= set(seen)


def test_no_event_holds_a_prompt(stage: Stage) -> None:
    stage.spec("nightly")
    stage.lines("specs/data/nightly.jsonl", 3, text=PROMPT)
    stage.faults.append(Fault("POST", JOBS, 502, when="after"))
    assert PROMPT not in str(reported(stage, "apply", "--yes"))


def test_a_plan_on_stdout_is_never_mixed_with_events(stage: Stage) -> None:
    stage.spec("nightly")
    result = stage.run("plan", "--format", "json", "--log-format", "json", "--log-level", "debug")
    assert "plan.computed" in result.err
    assert '"event"' not in result.out

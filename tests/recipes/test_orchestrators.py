"""The code of `docs/orchestrators.md`: its commands in the suite, and with the real programs in `pytest -m long`.

The long tests install the releases that the page names with pip, each into an environment of its own.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.processes import CREATE, Gate, Shop, gated
from tests.cli.stage import Stage

from .programs import PAGE, PATIENCE, Airflow, Dagster, install

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
COMMANDS = re.findall(r" reconciler\((\".*?)\)", PAGE.read_text(encoding="utf-8"))
"""The arguments of each command that the page runs, as it writes them."""
NAMES = ("tickets", "reviews", "texts")


def real(test: object) -> object:
    """Mark a test that installs and runs the real programs."""
    for mark in (LINUX, pytest.mark.long, pytest.mark.timeout(0)):
        test = mark(test)
    return test


def test_both_programs_apply_and_pull() -> None:
    assert [it.partition(",")[0] for it in COMMANDS] == ['"apply"', '"outputs"'] * 2


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_of_the_page_prints_the_fields_that_the_page_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    stage = Stage(tmp_path, capsys)
    stage.spec("tickets")
    assert stage.run("apply", "--yes", "--wait").code == 0
    done = stage.run(*ast.literal_eval(f"[{arguments}]"), "--format", "json")
    assert done.code == 0
    found = json.loads(done.out)
    if arguments.startswith('"apply"'):
        assert not found["outcomes"]
        assert found["waited"]["readiness"] == {"tickets": "done"}
    else:
        (result,) = found["results"]
        assert result["name"] == "tickets"
        assert result["path"] == "outputs/tickets/results.jsonl"
        assert len(result["summary"]["jobs"]) == 1
        assert result["summary"]["requests"]["total"] == result["summary"]["requests"]["ok"] == 3
        assert set(result["summary"]["cost"]) >= {"amount", "currency"}


@contextmanager
def shop(folder: Path, *, speed: float = 100) -> Iterator[tuple[Gate, Shop]]:
    """Yield a project with three specs, whose jobs end after a second divided by the speed."""
    with gated(folder, speed=speed) as (gate, url):
        made = Shop(folder / "shop", url)
        for name in NAMES:
            fields = "endpoint: /v1/embeddings\nmodel: mistral-embed-2312\n"
            made.write(f"specs/{name}.yaml", f"name: {name}\n{fields}input_files: [{name}.jsonl]\n")
            lines = [json.dumps({"custom_id": str(number), "body": {"input": name}}) for number in range(4)]
            made.write(f"specs/{name}.jsonl", "\n".join(lines))
        yield gate, made


def jobs(made: Shop) -> list[str]:
    return sorted(job["name"] for job in made.jobs())


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("airflow") / "env", "apache-airflow")


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("dagster") / "env", "dagster")


@real
def test_a_run_of_airflow_submits_waits_and_pulls_and_a_cleared_task_submits_nothing(
    tmp_path: Path, airflow: Path
) -> None:
    with shop(tmp_path, speed=1 / 50) as (_, made):  # longer than the command waits
        program = Airflow(airflow, tmp_path / "home", made)
        with program.standalone():
            program.trigger()
            assert program.wait() == "success"
            assert "Rescheduling task" in program.logs()
            submitted = made.jobs()
            results = {it["name"]: it for it in program.results()}
            assert {name: it["jobs"] for name, it in results.items()} == {
                it["name"]: [it["id"]] for it in submitted
            }
            assert {it["requests"] for it in results.values()} == {4}
            assert all(it["cost"]["amount"] > 0 for it in results.values())
            assert all((made.root / it["path"]).exists() for it in results.values())
            assert "job.created" in program.logs()
            program.clear()
            assert program.wait() == "success"
            assert program.tasks() == {"answers": ("success", 2), "results": ("success", 2)}
            assert made.jobs() == submitted


@real
@pytest.mark.parametrize("killed", ["task", "task and command", "worker, task and command"])
@pytest.mark.parametrize("arrives", [True, False])
def test_airflow_whose_worker_is_killed_at_a_create_submits_every_job_once(
    tmp_path: Path, airflow: Path, killed: str, arrives: bool
) -> None:
    with shop(tmp_path) as (gate, made):
        program = Airflow(airflow, tmp_path / "home", made)
        gate.close(CREATE, after=1)
        with program.standalone():
            program.trigger()
            until_create(gate)
            command, task, worker = program.commands.ancestors(3)
            victims = {"task": [task], "task and command": [task, command]}
            for process in victims.get(killed, [worker, task, command]):
                os.kill(process, signal.SIGKILL)
            let_in(gate, arrives=arrives)
            assert program.wait() == "success"
            assert program.tasks() == {"answers": ("success", 2), "results": ("success", 1)}
        assert jobs(made) == sorted(NAMES)


@real
def test_a_guard_fails_the_task_of_airflow_without_a_retry(tmp_path: Path, airflow: Path) -> None:
    with shop(tmp_path) as (_, made):
        made.write("reconciler.yaml", "project: shop\nguards: {max_new_requests: 3}\n")
        program = Airflow(airflow, tmp_path / "home", made)
        with program.standalone():
            program.trigger()
            assert program.wait() == "failed"
            assert program.tasks() == {"answers": ("failed", 1), "results": ("upstream_failed", 0)}
        assert jobs(made) == []


@real
def test_an_asset_of_dagster_has_jobs_requests_and_cost_and_a_second_run_submits_nothing(
    tmp_path: Path, dagster: Path
) -> None:
    with shop(tmp_path) as (_, made):
        program = Dagster(dagster, tmp_path / "home", made)
        for _ in range(2):
            with program.job() as process:
                assert process.wait(PATIENCE) == 0
            (job,) = made.jobs()
            found = program.metadata()
            assert job["name"] == "tickets"
            assert found.pop("cost") > 0
            assert found == {
                "path": "outputs/tickets/results.jsonl",
                "jobs": [job["id"]],
                "requests": 4,
                "answered": 4,
                "currency": "USD",
            }


@real
@pytest.mark.parametrize("killed", ["step", "step and command", "run, step and command"])
@pytest.mark.parametrize("arrives", [True, False])
def test_dagster_whose_step_is_killed_at_a_create_submits_every_job_once(
    tmp_path: Path, dagster: Path, killed: str, arrives: bool
) -> None:
    with shop(tmp_path) as (gate, made):
        program = Dagster(dagster, tmp_path / "home", made)
        gate.close(CREATE)
        with program.job() as process:
            until_create(gate, count=1)
            command, step, run = program.commands.ancestors(3)
            victims = {"step": [step], "step and command": [step, command]}
            for victim in victims.get(killed, [run, step, command]):
                os.kill(victim, signal.SIGKILL)
            let_in(gate, arrives=arrives)
            code = process.wait(PATIENCE)  # Dagster starts a step that was killed again
            assert (code == 0) == (not killed.startswith("run"))
            assert killed.startswith("run") or "STEP_RESTARTED" in program.log.read_text(encoding="utf-8")
        if killed.startswith("run"):
            with program.job() as process:
                assert process.wait(PATIENCE) == 0
        (job,) = made.jobs()
        assert job["name"] == "tickets"
        assert program.metadata()["jobs"] == [job["id"]]


@real
def test_the_schedule_of_dagster_starts_no_run_beside_one_that_waits(tmp_path: Path, dagster: Path) -> None:
    with shop(tmp_path, speed=1 / 30) as (gate, made):
        program = Dagster(dagster, tmp_path / "home", made)
        assert program.tick() == "RunRequest"
        with program.job() as process:
            until_create(gate, count=1)
            assert program.tick() == "SkipReason"
            assert process.wait(PATIENCE) == 0
        assert program.tick() == "RunRequest"


@real
def test_a_guard_fails_the_asset_without_a_retry(tmp_path: Path, dagster: Path) -> None:
    with shop(tmp_path) as (_, made):
        made.write("reconciler.yaml", "project: shop\nguards: {max_new_requests: 3}\n")
        program = Dagster(dagster, tmp_path / "home", made)
        with program.job() as process:
            assert process.wait(PATIENCE) != 0
        assert jobs(made) == []
        assert "STEP_UP_FOR_RETRY" not in program.log.read_text(encoding="utf-8")


def until_create(gate: Gate, count: int = 2) -> None:
    """Wait until so many creates are on their way; programs take a while to get there."""
    for _ in range(10):
        try:
            gate.wait_for(CREATE, count)
        except AssertionError:
            continue
        return
    gate.wait_for(CREATE, count)


def let_in(gate: Gate, *, arrives: bool) -> None:
    """Let the create that waits arrive, or lose it, and let everything else in."""
    if not arrives:
        gate.lose(CREATE)
    gate.open()

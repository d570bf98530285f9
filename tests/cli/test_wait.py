"""Waiting: alone, after an apply, and on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.environment import Environment
from tests.cli.schemas import conforming
from tests.cli.stage import UNSTEADY, Fault, Result, Stage

JOBS = "/v1/batch/jobs"


class Terminal(Environment):
    """A machine whose streams are terminals."""

    def terminal(self, stream: str) -> bool:
        return stream != "stdin"


def on_terminal(env: Environment) -> Environment:
    facts = {name: getattr(env, name) for name in Environment.__dataclass_fields__}
    return Terminal(
        **{**facts, "environ": {**env.environ, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}}
    )


def stands(result: Result) -> dict[str, str]:
    found: dict[str, str] = conforming("wait", result.out)["readiness"]
    return found


def test_wait_ends_when_everything_has_succeeded(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.spec("two", requests=1000)
    stage.run("apply", "--yes")
    result = stage.run("wait", "--format", "json")
    assert (result.code, stands(result)) == (0, {"one": "done", "two": "done"})
    assert result.writes == []
    assert [it["name"] for it in result.events if it["event"] == "job.ended"] == ["one", "two"]


@pytest.mark.thorough
def test_many_jobs_are_one_call_a_look_at_growing_intervals(stage: Stage) -> None:
    for number in range(6):
        stage.spec(f"job-{number}", requests=9000)
    stage.run("apply", "--yes")
    result = stage.run("wait")
    assert result.code == 0
    full = [sent for sent in result.sent if "order_by=created" in sent.query]
    glances = [sent for sent in result.sent if "order_by=-created" in sent.query]
    assert len(full) + len(glances) == len(result.sent)
    assert len(full) == 2  # at first, and when they have ended
    assert 5 <= len(glances) <= 12  # for 181 s: 2, 3, 4.5, …


def test_intervals_differ_between_runners(stage: Stage) -> None:
    stage.spec("one", requests=2000)
    stage.run("apply", "--yes")
    slept: list[list[float]] = []
    for seed in (1, 2):
        stage.random.seed(seed)
        slept.append([])
        clock = stage.clock

        def sleep(seconds: float, mine: list[float] = slept[-1]) -> None:
            mine.append(seconds)
            stage.advance(seconds)

        def world(given: Environment, sleep: Callable[[float], None] = sleep) -> Environment:
            return replace(given, sleep=sleep)

        assert stage.run("wait", env=world).code == 0
        stage.clock = clock
    assert slept[0] != slept[1]
    for pauses in slept:
        assert all(0.8 * 2 * 1.5**at <= pause <= 1.2 * 2 * 1.5**at for at, pause in enumerate(pauses))


def test_wait_names_some_and_says_which_it_does_not_know(stage: Stage) -> None:
    stage.spec("nightly-1")
    stage.spec("nightly-2")
    stage.spec("slow", model="sandbox-stuck")
    stage.run("apply", "--yes")
    result = stage.run("wait", "nightly-*", "--format", "json")
    assert (result.code, stands(result)) == (0, {"nightly-1": "done", "nightly-2": "done"})
    wrong = stage.run("wait", "nightlies")
    assert wrong.code == 64
    assert "no declared job has the name nightlies" in wrong.err


def test_the_timeout_is_6_and_the_jobs_run_on(stage: Stage) -> None:
    stage.spec("slow", model="sandbox-stuck")
    stage.run("apply", "--yes")
    began = stage.clock
    result = stage.run("wait", "--timeout", "2m", "--format", "json")
    assert (result.code, stands(result)) == (6, {"slow": "running"})
    assert json.loads(result.out)["timed_out"] is True
    assert 120 <= stage.clock - began < 121
    assert stage.live() == ["slow"]


def test_a_timeout_ends_though_no_clock_counts_its_last_instant(stage: Stage) -> None:
    stage.spec("slow", model="sandbox-stuck")
    stage.run("apply", "--yes")
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        """Wake up too early, by less than the clock's resolution."""
        pauses.append(seconds)
        assert len(pauses) < 100
        stage.advance(seconds if len(pauses) < 3 else max(0.0, seconds - 1e-4))

    result = stage.run("wait", "--timeout", "10s", env=lambda env: replace(env, sleep=sleep))
    assert result.code == 6


@pytest.mark.parametrize("requests", ["0", "-1s", "soon", ""])
def test_a_timeout_that_is_none_is_a_usage_error(stage: Stage, requests: str) -> None:
    stage.spec("one")
    expected = 6 if requests == "0" else 64
    assert stage.run("wait", "--timeout", requests).code == expected


def test_what_failed_or_failed_in_part_or_was_never_created_is_6(stage: Stage) -> None:
    stage.spec("broken", model="sandbox-unknown-x")
    stage.spec("fine")
    stage.spec("partly", retry={"max_attempts": 1})
    stage.write("specs/data/partly.jsonl", UNSTEADY)
    stage.spec("suspended", suspend=True)
    stage.run("apply", "--yes")
    stage.spec("unbought")
    stage.write("specs/yearly.yaml", (stage.root / "specs/fine.yaml").read_text().replace("fine", "yearly"))
    stage.spec("yearly", rerun={"every": "month", "start": "2030-01-01"})
    result = stage.run("wait", "--format", "json")
    assert result.code == 6
    assert stands(result) == {
        "broken": "attention",
        "fine": "done",
        "partly": "attention",
        "suspended": "idle",
        "unbought": "pending",
    }
    assert stage.run("wait", "fine", "suspended", "yearly").code == 0


def test_a_job_that_passes_its_checks_is_a_success(stage: Stage) -> None:
    stage.spec("partly", checks={"failed": 0.5}, retry={"max_attempts": 1})
    stage.write("specs/data/partly.jsonl", UNSTEADY)
    stage.run("apply", "--yes")
    assert stage.run("wait").code == 0


def test_an_outage_is_outlasted_and_a_refused_key_is_not(stage: Stage) -> None:
    stage.spec("one", requests=500)
    stage.run("apply", "--yes")
    stage.faults.append(Fault("GET", JOBS, 503, times=12, skip=1))
    result = stage.run("wait")
    assert result.code == 0
    assert [it["failures"] for it in result.events if it["event"] == "wait.poll_failed"] == [1, 2]
    stage.spec("two", requests=500)
    stage.run("apply", "--yes")
    stage.faults.append(Fault("GET", JOBS, 401, times=1, skip=1, body=b'{"message":"Unauthorized"}'))
    assert stage.run("wait").code == 1


def test_an_unknown_status_is_not_the_end(stage: Stage) -> None:
    stage.spec("one")
    stage.run("apply", "--yes")
    stage.advance(5)
    (job,) = stage.jobs()
    body = json.dumps({"object": "list", "total": 1, "data": [raw(job, status="REHEATING")]}).encode()
    stage.faults.append(Fault("GET", JOBS, 200, times=3, body=body))
    result = stage.run("wait", "--format", "json")
    assert (result.code, stands(result)) == (0, {"one": "done"})
    assert len(result.sent) > 3


def raw(job: dict[str, object], *, status: str) -> dict[str, object]:
    """A listed job as the API would write it, in another status."""
    dropped = {"project", "name"}
    facts = {key: value for key, value in job.items() if key not in dropped}
    return {"object": "batch", **facts, "errors": [], "status": status}


# apply --wait


def test_apply_waits_and_tries_again_as_the_spec_asks(stage: Stage) -> None:
    stage.spec("broken", model="sandbox-unknown-x", retry={"max_attempts": 3, "on": ["FAILED"]})
    stage.spec("fine", requests=500)
    result = stage.run("apply", "--yes", "--wait", "--format", "json")
    report = conforming("apply", result.out)
    assert result.code == report["exit_code"] == report["waited"]["exit_code"] == 6
    assert [it["name"] for it in report["outcomes"]] == ["broken", "fine", "broken", "broken"]
    assert report["waited"]["readiness"] == {"broken": "attention", "fine": "done"}
    assert len([sent for sent in result.writes if sent.path == JOBS]) == 4
    again = stage.run("apply", "--yes", "--wait")
    assert (again.code, again.writes) == (6, [])


def test_apply_waits_for_what_ran_already(stage: Stage) -> None:
    stage.spec("slow", requests=2000)
    stage.run("apply", "--yes")
    result = stage.run("apply", "--yes", "--wait")
    assert (result.code, result.writes) == (0, [])
    assert "1 done" in result.out


def test_what_the_quota_held_is_created_once_there_is_room(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_pending: 1000}\n")
    for name in ("a", "b", "c"):
        stage.spec(name, requests=800)
    result = stage.run("apply", "--yes", "--wait")
    assert result.code == 0
    assert "submits 2 jobs held by the quota (1,600 requests) once the quota allows it" in result.out
    assert len([sent for sent in result.writes if sent.path == JOBS]) == 3
    assert {str(job["status"]) for job in stage.jobs()} == {"SUCCESS"}


def test_without_wait_the_quota_holds_until_the_next_apply(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_pending: 1000}\n")
    for name in ("a", "b"):
        stage.spec(name, requests=800)
    stage.run("apply", "--yes")
    assert stands(stage.run("wait", "--format", "json")) == {"a": "done", "b": "pending"}


def test_a_budget_is_for_all_rounds(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {max_new_requests: 5}\n")
    stage.spec("broken", model="sandbox-unknown-x", retry={"max_attempts": 9, "on": ["FAILED"]}, requests=2)
    result = stage.run("apply", "--yes", "--wait")
    assert result.code == 3
    assert (
        "held back by max_new_requests in a later round: the plan submits 2 requests, more than 1"
        in result.err
    )
    assert len(stage.jobs()) == 2


def test_specs_that_are_edited_meanwhile_are_for_the_next_apply(stage: Stage) -> None:
    stage.spec("broken", model="sandbox-unknown-x", retry={"max_attempts": 2, "on": ["FAILED"]})

    def sleep(seconds: float) -> None:
        stage.spec("late")
        stage.spec("broken", model="mistral-small-latest")
        stage.advance(seconds)

    result = stage.run("apply", "--yes", "--wait", env=lambda env: replace(env, sleep=sleep))
    assert result.code == 6
    assert [str(job["model"]) for job in stage.jobs()] == ["sandbox-unknown-x"] * 2


def test_a_person_who_stops_a_job_meanwhile_is_heeded(stage: Stage) -> None:
    stage.spec("one", requests=5000, retry={"max_attempts": 5})
    stage.run("apply", "--yes")
    (job,) = stage.jobs()
    asked: list[int] = []

    def sleep(seconds: float) -> None:
        stage.advance(seconds)
        if not asked:
            from reconciler.cli.main import run

            asked.append(run(["jobs", "cancel", str(job["id"]), "--yes"], stage.world([])))

    result = stage.run("apply", "--yes", "--wait", env=lambda env: replace(env, sleep=sleep))
    assert (asked, result.code, result.writes) == ([0], 6, [])  # the lock was free, and no job was created
    assert [str(it["status"]) for it in stage.jobs()] == ["CANCELLED"]


def test_a_saved_plans_creates_are_tried_again_and_nothing_else_is_created(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_pending: 1000}\n")
    stage.spec(
        "a-broken", model="sandbox-unknown-x", retry={"max_attempts": 2, "on": ["FAILED"]}, requests=900
    )
    stage.spec("b-held", requests=900)
    stage.run("plan", "-o", "plan.json")
    result = stage.run("apply", "plan.json", "--wait")
    assert result.code == 6
    assert [str(job["name"]) for job in stage.jobs()] == ["a-broken", "a-broken"]


def test_a_create_that_was_refused_is_not_sent_again(stage: Stage) -> None:
    stage.spec("refused", model="sandbox-refused-x", retry={"max_attempts": 5})
    stage.spec("slow", requests=2000)
    result = stage.run("apply", "--yes", "--wait")
    assert result.code == 5
    assert len([sent for sent in result.writes if sent.path == JOBS]) == 2


def test_the_timeout_of_an_apply_is_6_and_needs_wait(stage: Stage) -> None:
    stage.spec("slow", model="sandbox-stuck")
    assert stage.run("apply", "--yes", "--timeout", "1m").code == 64
    result = stage.run("apply", "--yes", "--wait", "--timeout", "1m")
    assert (result.code, stage.live()) == (6, ["slow"])
    assert "timed out: 1 still running" in result.out


def test_who_answers_no_waits_for_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.spec("one")
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)

    class Asked(Terminal):
        def terminal(self, stream: str) -> bool:
            return stream == "stdin"

    def world(given: Environment) -> Environment:
        return Asked(**{name: getattr(given, name) for name in Environment.__dataclass_fields__})

    result = stage.run("apply", "--wait", env=world)
    assert (result.code, result.writes, stage.jobs()) == (0, [], [])


# On a terminal.


def test_bars_show_what_is_answered_failed_and_left(stage: Stage) -> None:
    stage.spec("slow", requests=2000)
    stage.spec("steady", requests=1000)
    stage.run("apply", "--yes", "--log-level", "error")
    result = stage.run("wait", "--log-level", "error", env=on_terminal)
    assert result.code == 0
    assert " of 2,000" in result.err
    assert " left" in result.err
    assert "2 jobs" in result.err
    assert "\x1b" not in result.out


def test_bars_are_in_the_order_of_the_list_of_jobs(stage: Stage) -> None:
    names = [f"job-{number:02}" for number in range(14)]
    for number, name in enumerate(names):
        stage.spec(name, requests=500 + 100 * number)
    stage.run("apply", "--yes", "--log-level", "error")
    listed = [str(job["name"]) for job in stage.jobs()]
    drawn = re.sub(
        r"\x1b\[[0-9;?]*[A-Za-z]", "", stage.run("wait", "--log-level", "error", env=on_terminal).err
    )
    frames = [re.findall(r"job-\d\d", part) for part in re.split(r"\d+ jobs?", drawn)]
    assert all(frame == sorted(frame, key=listed.index) for frame in frames)
    assert max(map(len, frames)) == 12
    assert any("job-13" in frame and len(frame) > 1 for frame in frames)


def test_nothing_moves_without_a_terminal(stage: Stage) -> None:
    stage.spec("slow", requests=2000)
    stage.run("apply", "--yes")
    assert "\x1b" not in stage.run("wait").err


def test_status_shows_what_begins_later_and_folds_its_family(stage: Stage) -> None:
    stage.spec("yearly", rerun={"every": "month", "zone": "Europe/Paris", "start": "2030-01-01"})
    for number in range(5):
        stage.lines(f"specs/shards/part-{number}.jsonl", 1, text=f"part {number}")
    stage.write(
        "specs/shards.yaml",
        "name: shard-{stem}\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\n"
        "for_each: {files: [shards/*.jsonl]}\n"
        "rerun: {every: day, start: 2031-01-01}\n",
    )
    result = stage.run("status")
    assert "shard-* (5 of 5)  not yet" in result.out
    assert "begins 2030-01-01, Europe/Paris" in result.out
    (row,) = conforming("status", stage.run("status", "--only", "yearly", "--format", "json").out)["rows"]
    assert (row["name"], row["state"], row["job"]) == ("yearly", "not yet", None)

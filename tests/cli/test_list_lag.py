"""A list that lags behind new creates: a job that is seconds old may exist although the list does not show it."""

from __future__ import annotations

import json

import pytest

from tests.cli.stage import Fault, Result, Stage

JOBS = "/v1/batch/jobs"
pytestmark = pytest.mark.needs_ledger("a job that the list does not show is unknown")
SETTLE = 60
NOTHING = json.dumps({"object": "list", "total": 0, "data": []}).encode()
NO_SUCH_JOB = json.dumps({"object": "error", "message": "no such job"}).encode()


@pytest.fixture
def remote(stage: Stage, served: str) -> Stage:
    """A project on an API that is no sandbox to it, and whose clock is not that of this machine."""
    stage.environ = {"USER": "ada", "MISTRAL_API_KEY": "any", "MISTRAL_BASE_URL": served}
    stage.spec("first")
    assert stage.run("apply", "--yes").code == 0
    return stage


def lags(stage: Stage, *, get: bool = False) -> None:
    """Let the list, and GET too, show what there was before the last create, until the end of the test."""
    stage.faults = [Fault("GET", JOBS, 200, body=NOTHING, times=999)]
    stage.faults += [Fault("GET", f"{JOBS}/.+", 404, body=NO_SUCH_JOB, times=999)] if get else []


def creates(result: Result) -> list[str]:
    return [sent.path for sent in result.writes if sent.path == JOBS]


@pytest.mark.parametrize("get", [False, True])
def test_an_apply_right_after_an_apply_changes_nothing(remote: Stage, *, get: bool) -> None:
    lags(remote, get=get)
    result = remote.run("apply", "--yes")
    assert (result.code, result.writes) == (0, [])
    assert ("its outcome is not known yet" in result.out) is get
    assert "deleted" not in result.out


def test_a_new_spec_right_after_an_apply_is_created_and_nothing_else_is(remote: Stage) -> None:
    remote.spec("second")
    lags(remote)
    result = remote.run("apply", "--yes")
    assert (result.code, len(creates(result))) == (0, 1), result.err
    remote.faults = []
    assert remote.live() == ["first", "second"]


def test_other_work_right_after_an_apply_is_not_refused_as_in_another_workspace(remote: Stage) -> None:
    remote.spec("first", rerun="2", on_change="finish")
    lags(remote)
    result = remote.run("apply", "--yes")
    assert (result.code, result.writes) == (0, []), result.err
    assert "another workspace" not in result.out + result.err
    assert "waiting · for job" in result.out  # GET shows that the first run of it still runs


def test_a_key_of_another_workspace_is_refused_from_the_first_second_on(remote: Stage) -> None:
    remote.spec("second")
    remote.environ["MISTRAL_API_KEY"] = "of-another-workspace"
    result = remote.run("apply", "--yes")
    assert (result.code, result.writes) == (3, [])
    assert "run again in 60 s" in result.out


def test_a_list_that_shows_no_known_job_after_the_settle_time_is_of_another_workspace(
    remote: Stage,
) -> None:
    remote.spec("second")
    lags(remote, get=True)
    remote.advance(SETTLE)
    result = remote.run("apply", "--yes")
    assert (result.code, result.writes) == (3, [])
    assert "does not show the one job that the ledger remembers" in result.err


@pytest.mark.parametrize(("age", "verdict"), [(0, "note"), (SETTLE - 1, "note"), (SETTLE, "warning")])
def test_doctor_suspects_another_key_only_if_the_list_had_time_to_show_the_jobs(
    remote: Stage, age: int, verdict: str
) -> None:
    lags(remote, get=True)
    remote.advance(age)
    found = json.loads(remote.run("doctor", "--format", "json").out)["findings"]
    (ledger,) = (it for it in found if it["check"] == "ledger")
    assert ledger["verdict"] == verdict
    assert ("created less than 60 s ago" in ledger["detail"]) is (verdict == "note")
    assert ("key" in ledger["hint"]) is (verdict == "warning")


@pytest.mark.parametrize(("age", "code"), [(0, 0), (SETTLE - 1, 0), (SETTLE, 6)])
def test_a_record_has_vanished_only_if_the_list_had_time_to_show_it(
    remote: Stage, age: int, code: int
) -> None:
    lags(remote)
    remote.advance(age)
    result = remote.run("history", "verify", "--format", "json")
    assert result.code == code
    assert [it["check"] for it in json.loads(result.out)["findings"]] == ["vanished"] * (code == 6)

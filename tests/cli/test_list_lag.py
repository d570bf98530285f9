"""A list that lags behind new creates: a job that is seconds old may exist although the list does not show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.dies import apply_dies
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


def hide(stage: Stage, name: str) -> None:
    """Let neither the list nor GET show the job of a name."""

    def others(page: dict[str, Any]) -> dict[str, Any]:
        rows = [row for row in page["data"] if row["metadata"]["reconciler.name"] != name]
        return page | {"data": rows, "total": len(rows)}

    (job,) = (job["id"] for job in stage.jobs() if job["name"] == name)
    stage.faults = [Fault("GET", JOBS, 200, alter=others, times=99)]
    stage.faults += [Fault("GET", f"{JOBS}/{job}", 404, body=NO_SUCH_JOB, times=99)]


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
    assert "= wait  " in result.out  # GET shows that the first run of it still runs


def lost_and_edited(stage: Stage) -> None:
    """Let the process die in the create of a spec, and then edit the spec. The list does not show the job yet."""
    spec = stage.spec("second", requests=500)
    apply_dies(stage)
    lags(stage)
    spec.write_text(spec.read_text().replace("small", "medium"))


def test_an_edit_after_a_lost_create_waits_until_the_list_shows_its_job_and_replaces_it(
    remote: Stage,
) -> None:
    lost_and_edited(remote)
    held = remote.run("apply", "--yes")
    assert (held.code, held.writes) == (0, [])
    assert "second  a create may have been sent, and its outcome is not known yet" in held.out
    remote.faults = []
    assert remote.run("apply", "--yes").code == 0
    live = {job["model"] for job in remote.jobs() if job["name"] == "second" and job["status"] == "QUEUED"}
    assert live == {"mistral-medium-latest"}, "one job of the name is left"


def test_an_edit_after_a_lost_create_is_submitted_once_that_create_can_no_longer_take_effect(
    remote: Stage,
) -> None:
    lost_and_edited(remote)
    remote.faults = [Fault("GET", JOBS, 200, alter=_without("second"), times=999)]
    remote.advance(SETTLE - 1)
    assert creates(remote.run("apply", "--yes")) == []
    remote.advance(1)
    assert len(creates(remote.run("apply", "--yes"))) == 1


def _without(name: str) -> Callable[[Any], Any]:
    """Return what hides the jobs of a name from the list: as if their creates had never taken effect."""

    def hidden(page: dict[str, Any]) -> dict[str, Any]:
        rows = [row for row in page["data"] if row["metadata"]["reconciler.name"] != name]
        return {**page, "data": rows, "total": len(rows)}

    return hidden


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


@pytest.mark.parametrize("most", [10**16, 10**18, 10**30])
def test_a_create_whose_cost_has_no_useful_bound_is_remembered_too(remote: Stage, most: int) -> None:
    remote.spec("second", model="mistral-small-2603", requests=1)
    inputs = remote.root / "specs/data/second.jsonl"
    row = json.loads(inputs.read_text())
    row["body"]["max_tokens"] = most
    inputs.write_text(json.dumps(row) + "\n")
    assert len(creates(remote.run("apply", "--yes"))) == 1
    hide(remote, "second")
    again = remote.run("apply", "--yes")
    assert creates(again) == []
    assert "its outcome is not known yet" in again.out

"""`keep_at_provider`: a pull deletes files at the provider that are pulled, old enough and needed by no job."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.environment import Environment
from reconciler.ledger.file import hold_lock
from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import CreateIntended
from tests.cli.schemas import conforming
from tests.cli.stage import Fault, Result, Stage, read_whole
from tests.cli.team import SETTINGS, Team
from tests.helpers.thorough import thorough

DAY = 86_400
KEEP = "keep_at_provider: {inputs: 7d, results: 30d}\n"
DELETE = "/v1/files/[^/]+"


class KilledError(BaseException):
    """The process ends here."""


def pull(stage: Stage, *argv: str) -> dict[str, Any]:
    """Pull, and return the report as a value."""
    report: dict[str, Any] = conforming(
        "outputs", stage.run("outputs", "pull", "--format", "json", *argv).out
    )
    return report


def deletes(result: Result) -> list[str]:
    """The files for which a delete was sent."""
    return [sent.path.rpartition("/")[2] for sent in result.sent if sent.method == "DELETE"]


def files_of(stage: Stage) -> dict[str, set[str]]:
    """The files that the provider still has, of those that each job uses, by the job's id."""
    with stage.console() as client:
        found = {}
        for job in client.get("/v1/batch/jobs").json()["data"]:
            ids = {*job["input_files"], job["output_file"], job["error_file"]} - {None}
            found[job["id"]] = {it for it in ids if client.get(f"/v1/files/{it}").status_code == 200}
        return found


def ledger(stage: Stage) -> list[dict[str, Any]]:
    """The ledger's lines about files."""
    (path,) = (stage.root / ".reconciler").rglob("ledger.jsonl")
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    return [row for row in rows if row["kind"] == "file_delete"]


def pulled_long_ago(stage: Stage) -> None:
    """Make two jobs that ended 40 days ago, and pull their results."""
    stage.spec("a")
    stage.spec("b")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}")
    stage.advance(40 * DAY)


@pytest.fixture
def old(stage: Stage) -> Stage:
    """Two jobs that ended 40 days ago, whose results are pulled."""
    stage.prepare(pulled_long_ago)
    return stage


def test_inputs_and_results_are_deleted_at_their_age_and_each_is_recorded(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}")
    stage.spec("a")
    stage.spec("b", model="sandbox-unknown-model")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    young = stage.run("outputs", "pull")
    stage.advance(8 * DAY)
    asked = stage.run("outputs", "pull", "--dry-run")
    inputs = stage.run("outputs", "pull")
    stage.advance(30 * DAY)
    results = stage.run("outputs", "pull")
    again = stage.run("outputs", "pull")
    golden(young, asked, inputs, results, again, stage.run("ledger", "show"))
    assert files_of(stage) == {job["id"]: set() for job in stage.jobs()}
    assert [it["event"] for it in (*inputs.events, *results.events)].count("file.deleted") == 3


@pytest.mark.parametrize("text", ["7", "0d", "soon", "1w", "7d\n"])
def test_a_period_that_is_no_duration_is_an_error_with_its_place(stage: Stage, text: str) -> None:
    stage.write("reconciler.yaml", f"project: shop\nkeep_at_provider: {{inputs: {json.dumps(text)}}}\n")
    result = stage.run("outputs", "pull")
    assert (result.code, result.sent) == (1, [])
    assert "reconciler.yaml:2:28" in result.err


def test_without_the_setting_nothing_is_deleted(old: Stage) -> None:
    old.write("reconciler.yaml", "project: shop\n")
    assert old.run("outputs", "pull").writes == []


def test_a_dry_run_writes_nothing_and_shows_what_is_missing_here(stage: Stage) -> None:
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}")
    stage.spec("a")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    before = {path for path in stage.root.rglob("*") if "sandbox.db" not in path.name}
    report = pull(stage, "--dry-run")
    assert [job["state"] for job in report["jobs"]] == ["due"]
    assert {path for path in stage.root.rglob("*") if "sandbox.db" not in path.name} == before


def test_a_dry_run_names_the_files_that_the_next_pull_deletes(old: Stage) -> None:
    dry = old.run("outputs", "pull", "--dry-run", "--format", "json")
    due = json.loads(dry.out)["files"]
    assert (len(due), {it["state"] for it in due}, dry.writes) == (4, {"due"}, [])
    assert ledger(old) == []
    deleted = pull(old)["files"]
    assert deleted == [it | {"state": "deleted"} for it in due]


def test_a_file_of_another_projects_job_stays(old: Stage) -> None:
    old.write("other.yaml", "project: other\n")
    assert old.run("apply", "--yes", "--config", "other.yaml", "--allow-created-elsewhere").code == 0
    old.advance(40 * DAY)
    theirs = {job["id"] for job in old.jobs()} - {job["job_id"] for job in pull(old, "--dry-run")["jobs"]}
    before = files_of(old)
    assert len(theirs) == 2
    assert {it["kind"] for it in pull(old)["files"]} == {"results"}
    assert all(files_of(old)[job] == before[job] for job in theirs)


def test_an_upload_that_a_later_job_uses_stays_until_that_is_old(old: Stage) -> None:
    old.spec("a", rerun=2)
    assert old.run("apply", "--yes").code == 0
    old.advance(60)
    assert [it["name"] for it in pull(old)["files"] if it["kind"] == "inputs"] == ["b"]
    old.advance(7 * DAY)
    assert [it["name"] for it in pull(old)["files"]] == ["a"]


def altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Sandbox", b"Sandbag", 1))


@pytest.mark.parametrize("change", [altered, Path.unlink], ids=["altered", "deleted"])
@pytest.mark.parametrize("name", ["output.jsonl", "asked.idx"])
def test_files_of_results_that_are_not_whole_here_stay(
    old: Stage, name: str, change: Callable[[Path], None]
) -> None:
    (path,) = old.root.glob(f"outputs/a/jobs/*/{name}")
    path.write_bytes(b"Sandbox") if name == "asked.idx" else None
    change(path)
    assert {it["name"] for it in pull(old)["files"]} == {"b"}


@pytest.mark.parametrize(
    "fields",
    [{"trouble": {"malformed": 1}}, {"job_id": "another"}, {"v": 99}],
    ids=lambda it: next(iter(it)),
)
def test_files_of_results_that_need_attention_or_are_not_understood_stay(
    old: Stage, fields: dict[str, object]
) -> None:
    (path,) = old.root.glob("outputs/a/jobs/*/summary.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    assert {it["name"] for it in pull(old, "b", "a")["files"]} == {"b"}


def test_results_of_another_size_at_the_provider_stay(old: Stage) -> None:
    old.faults.append(Fault("GET", DELETE, 200, alter=lambda file: file | {"bytes": file["bytes"] + 1}))
    assert {it["name"] for it in pull(old)["files"]} == {"b"}


def test_results_with_fewer_lines_than_the_api_counts_stay(old: Stage) -> None:
    def counted(page: dict[str, Any]) -> dict[str, Any]:
        first, *others = page["data"]
        return page | {"data": [first | {"status": "CANCELLED", "succeeded_requests": 4}, *others]}

    old.faults.append(Fault("GET", "/v1/batch/jobs", 200, times=9, alter=counted))
    assert {it["name"] for it in pull(old)["files"]} == {"b"}


def test_a_row_that_cannot_be_read_blocks_every_deletion(old: Stage) -> None:
    def odd(page: dict[str, Any]) -> dict[str, Any]:
        row = page["data"][0] | {
            "id": "99999999-0000-4000-8000-000000000000",
            "errors": None,
            "metadata": None,
        }
        rows = [*page["data"], row | {"input_files": 3}]
        return page | {"data": rows, "total": len(rows)}

    old.faults.append(Fault("GET", "/v1/batch/jobs", 200, times=9, alter=odd))
    result = old.run("outputs", "pull")
    assert (result.code, deletes(result)) == (0, [])
    assert "No file was deleted at the provider: job 99999999-0000-4000-8000-000000000000" in result.out


def test_an_invalid_spec_blocks_every_deletion(old: Stage) -> None:
    old.write("specs/c.yaml", "name: c\n")
    result = old.run("outputs", "pull")
    assert (result.code, deletes(result)) == (0, [])
    assert "No file was deleted at the provider: a spec is invalid" in result.out


def test_a_list_that_cannot_be_read_whole_blocks_every_deletion_and_fails(old: Stage) -> None:
    old.faults.append(Fault("GET", "/v1/batch/jobs", 403, skip=1, times=9))
    result = old.run("outputs", "pull")
    assert (result.code, deletes(result)) == (1, [])
    assert "No file was deleted at the provider: GET /v1/batch/jobs: 403" in result.out


def test_a_file_that_a_spec_names_stays(old: Stage) -> None:
    (output,) = json.loads(next(old.root.glob("outputs/a/jobs/*/summary.json")).read_text())["files"][:1]
    old.spec("next", suspend=True, input_files=[output["file_id"]])
    assert output["path"] == "output.jsonl"
    assert output["file_id"] not in {it["file_id"] for it in pull(old)["files"]}


def test_files_of_an_adopted_job_stay(old: Stage) -> None:
    request = b'{"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Hi"}]}}\n'
    body = {"endpoint": "/v1/chat/completions", "model": "mistral-small-latest"}
    with old.console() as client:
        upload = {"file": (f"{hashlib.sha256(request).hexdigest()}.jsonl", request)}
        file = client.post("/v1/files", files=upload, data={"purpose": "batch"}).json()["id"]
        job = client.post("/v1/batch/jobs", json=body | {"input_files": [file]}).json()["id"]
    spec = {"name": "theirs", **body, "input_files": [file], "adopt": {"job": job}}
    old.write("specs/theirs.yaml", json.dumps(spec))
    (work,) = re.findall(r"`work: (v1:\w+)`", old.run("validate").err)
    old.write("specs/theirs.yaml", json.dumps(spec | {"adopt": {"job": job, "work": work}}))
    old.advance(60 * DAY)
    report = pull(old)
    assert job in {it["job_id"] for it in report["jobs"] if it["state"] == "pulled"}
    assert {it["name"] for it in report["files"]} == {"a", "b"}
    assert len(files_of(old)[job]) == 2


def test_only_the_jobs_that_were_asked_for_are_considered(old: Stage) -> None:
    assert {it["name"] for it in pull(old, "b")["files"]} == {"b"}


def test_a_ci_runner_that_loses_its_folder_deletes_nothing(old: Stage) -> None:
    old.environ["CI"] = "true"
    result = old.run("outputs", "pull")
    assert (result.code, result.writes) == (0, [])
    assert "No file was deleted at the provider: the results are in a folder of this CI runner" in result.out


def test_a_ci_runner_deletes_what_an_object_store_has(stage: Stage, bucket: Any) -> None:  # noqa: ANN401 - fsspec
    stage.environ |= {"CI": "true", "RECONCILER_RESULTS": "s3://bucket/outputs"}
    stage.spec("a")
    stage.spec("b")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}")
    assert pull(stage)["files"] == []
    stage.advance(40 * DAY)
    (path,) = bucket.glob("bucket/outputs/a/jobs/*/output.jsonl")
    data = bucket.cat_file(path)
    left = stage.write(f".reconciler/sandbox/shop/pulling/{path.partition('/outputs/')[2]}", "")
    left.write_bytes(data)  # by a pull that was killed
    bucket.pipe_file(path, data.replace(b"Sandbox", b"Sandbag", 1))
    assert {it["name"] for it in pull(stage)["files"]} == {"b"}
    bucket.pipe_file(path, data)
    assert {it["name"] for it in pull(stage)["files"]} == {"a"}


def test_a_file_that_is_gone_counts_as_deleted(old: Stage) -> None:
    (summary,) = (json.loads(it.read_text()) for it in old.root.glob("outputs/a/jobs/*/summary.json"))
    gone = summary["files"][0]["file_id"]
    with old.console() as client:
        client.delete(f"/v1/files/{gone}").raise_for_status()
    assert {it["state"] for it in pull(old)["files"]} == {"deleted"}
    assert gone in {row["file_id"] for row in ledger(old) if row.get("gone")}
    assert pull(old)["files"] == []


class AtDelete(httpx.BaseTransport):
    """Does something at a delete: before it arrives, or before its answer does."""

    def __init__(
        self, inner: httpx.BaseTransport, number: int, do: Callable[[], None], *, arrives: bool
    ) -> None:
        self._inner = inner
        self._left = number
        self._do = do
        self._arrives = arrives

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        now = request.method == "DELETE" and self._left == 0
        self._left -= request.method == "DELETE"
        if now and not self._arrives:
            self._do()
        response = read_whole(self._inner.handle_request(request))
        if now and self._arrives:
            self._do()
        return response

    def close(self) -> None:
        self._inner.close()


def kill() -> None:
    raise KilledError


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("number", [0, 1, thorough(2), 3])
def test_a_pull_that_is_killed_at_a_delete_is_completed_by_the_next(
    old: Stage, number: int, arrives: bool
) -> None:
    due = {it["file_id"] for it in pull(old, "--dry-run")["files"]}
    with pytest.raises(KilledError):
        old.run(
            "outputs",
            "pull",
            env=lambda env: replace(
                env, wrap_transport=lambda it: AtDelete(it, number, kill, arrives=arrives)
            ),
        )
    assert {row["file_id"] for row in ledger(old)} == due  # the intents
    pull(old)
    assert {row["file_id"] for row in ledger(old) if row.get("gone")} == due
    assert files_of(old) == {job["id"]: set() for job in old.jobs()}
    assert pull(old)["files"] == []


def test_a_signal_lets_the_delete_in_flight_finish_and_sends_no_more(old: Stage) -> None:
    def stopping(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda it: AtDelete(it, 1, env.stop.set, arrives=True))

    report = json.loads(old.run("outputs", "pull", "--format", "json", env=stopping).out)
    assert [it["state"] for it in report["files"]] == ["deleted", "deleted", "stopped", "stopped"]
    assert len(pull(old)["files"]) == 2


def test_deletions_that_take_long_are_left_to_the_next_pull(old: Stage) -> None:
    def slowly(answer: dict[str, Any]) -> dict[str, Any]:
        old.advance(40)
        return answer

    old.write("reconciler.yaml", f"project: shop\n{KEEP}limits: {{deadline_seconds: 30}}\n")

    old.faults.append(Fault("DELETE", DELETE, 200, skip=1, alter=slowly))
    result = old.run("outputs", "pull", "--format", "json")
    states = [it["state"] for it in json.loads(result.out)["files"]]
    assert (result.code, states) == (0, ["deleted", "deleted", "stopped", "stopped"])
    old.faults.append(Fault("GET", DELETE, 200, alter=slowly))  # once, at the end of the first job's results
    assert [it["name"] for it in pull(old)["files"]] == ["a"]
    assert [it["name"] for it in pull(old)["files"]] == ["b"]


def test_a_delete_that_is_forbidden_fails_and_the_others_are_done(old: Stage) -> None:
    old.faults.append(Fault("DELETE", DELETE, 403, skip=1))
    result = old.run("outputs", "pull", "--format", "json")
    states = [it["state"] for it in json.loads(result.out)["files"]]
    assert (result.code, states) == (5, ["deleted", "failed", "deleted", "deleted"])
    assert [it["event"] for it in result.events].count("file.delete_failed") == 1
    assert [it["state"] for it in pull(old)["files"]] == ["deleted"]


def test_an_outage_fails_the_deletions_and_the_next_pull_tries_again(old: Stage) -> None:
    old.faults.append(Fault("DELETE", DELETE, 500, times=99))
    result = old.run("outputs", "pull", "--format", "json")
    states = [it["state"] for it in json.loads(result.out)["files"]]
    assert (result.code, states) == (1, ["failed"] * 4)
    old.faults.clear()
    assert [it["state"] for it in pull(old)["files"]] == ["deleted"] * 4


def test_a_key_that_may_not_delete_does_not_fill_the_ledger(old: Stage) -> None:
    old.faults.append(Fault("DELETE", DELETE, 403, times=99))
    for tried in (False, True, True):
        assert {(it["state"], it["tried"]) for it in pull(old)["files"]} == {("failed", tried)}
    assert len(ledger(old)) == 4 + 2


def test_an_answer_that_says_not_deleted_is_a_failure(old: Stage) -> None:
    old.faults.append(Fault("DELETE", DELETE, 200, alter=lambda it: it | {"deleted": False}))
    result = old.run("outputs", "pull")
    assert result.code == 5
    assert "the API says that it was not deleted" in result.out


def test_during_an_apply_nothing_is_deleted(old: Stage) -> None:
    with hold_lock(old.root / ".reconciler/sandbox/shop", holder="run 1 on here"):
        result = old.run("outputs", "pull")
    assert (result.code, deletes(result)) == (0, [])
    assert "No file was deleted at the provider: another apply is running on this target" in result.out


def test_while_a_create_is_unsettled_uploads_stay(old: Stage) -> None:
    (path,) = (old.root / ".reconciler").rglob("ledger.jsonl")
    line = CreateIntended(
        at=old.clock,
        run_id="r",
        op="0" * 24,
        name="z",
        work="v1:00",
        rerun="",
        attempt=1,
        reason="new",
        lease=900,
    )
    with path.open("a") as file:
        file.write(encode(line) + "\n")
    assert {it["kind"] for it in pull(old)["files"]} == {"results"}
    old.advance(1000)
    assert {it["kind"] for it in pull(old)["files"]} == {"inputs"}


@pytest.mark.parametrize("lags", [False, True])
def test_work_that_is_submitted_again_uploads_a_deleted_input_again(old: Stage, lags: bool) -> None:
    with old.console() as client:
        before = client.get("/v1/files", params={"purpose": "batch", "sample_type": "batch_request"}).json()
    assert {it["state"] for it in pull(old)["files"]} == {"deleted"}
    if lags:
        old.faults.append(Fault("GET", "/v1/files", 200, alter=lambda _: before))
    old.spec("a", rerun=2)
    result = old.run("apply", "--yes")
    assert result.code == 0
    posted = [sent.status for sent in result.writes if sent.path == "/v1/batch/jobs"]
    assert [sent.path for sent in result.writes].count("/v1/files") == 1
    assert len([status for status in posted if status == 200]) == 1
    assert len(posted) == 1 + lags


def test_runners_that_share_a_ledger_see_the_deletions_and_none_is_made_beside_a_claim(
    team: Team, clock: list[float]
) -> None:
    team.first.write("reconciler.yaml", f"{SETTINGS}{KEEP}")
    team.first.spec("a")
    team.publish("one spec")
    assert team.first.run("apply", "--yes").code == 0
    clock[0] += 60
    assert team.first.run("outputs", "pull").code == 0
    clock[0] += 40 * DAY
    second = team.clone("second")
    team.first.clock = second.clock = clock[0]
    second.spec("b")
    asked: list[str] = []

    def create(page: dict[str, Any]) -> dict[str, Any]:
        if not asked:
            asked.append(second.run("apply", "--yes").out)
        return page

    team.first.faults.append(Fault("GET", "/v1/files", 200, skip=1, alter=create))
    beside = pull(team.first)
    assert asked
    assert (beside["files"], beside["kept"]) == ([], "another runner wrote to the ledger at the same time")
    assert {it["state"] for it in pull(team.first)["files"]} == {"deleted"}
    assert second.run("ledger", "pull").code == 0
    assert second.run("ledger", "show").out.count('"gone":true') == 2


@pytest.mark.parametrize("seed", [0, 1, *(thorough(it) for it in range(2, 20))])
def test_no_file_of_a_job_that_is_not_pulled_or_of_another_project_is_ever_deleted(
    stage: Stage, seed: int
) -> None:
    stage.random.seed(seed)
    choose = stage.random.choice
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}")
    stage.write("other.yaml", "project: other\n")
    pulled: set[str] = set()
    deleted = 0
    other = choose(("reconciler.yaml", "other.yaml"))
    for config, days in (("reconciler.yaml", 0), (other, 10), ("reconciler.yaml", 40)):
        for name in ("a", "b", "c"):
            stage.spec(name, rerun=choose((1, 2)))
            stage.lines(f"specs/data/{name}.jsonl", choose((3, 400)), text=choose(("x", "y")))
        stage.run("apply", "--yes", "--config", config, "--allow-created-elsewhere")
        stage.advance(choose((10, days * DAY)) if days < 40 else days * DAY)
        before = files_of(stage)
        report = pull(stage, choose(("[ab]", "*")))
        pulled |= {job["job_id"] for job in report["jobs"]}
        after, ours = files_of(stage), {job["id"] for job in stage.jobs() if job["project"] == "shop"}
        assert all(after[job] == before[job] for job in after.keys() - (pulled & ours))
        deleted += len(report["files"])
    assert deleted


def test_files_of_a_part_stay_while_requests_of_its_work_are_left(stage: Stage) -> None:
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}limits: {{max_pending: 5}}\n")
    stage.spec("a", requests=12, canary={"requests": 4})
    stage.run("apply", "--yes")
    stage.advance(40 * DAY)
    assert pull(stage)["files"] == [], "the rest has no room yet"
    stage.write("reconciler.yaml", f"project: shop\n{KEEP}")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(40 * DAY)
    assert len(pull(stage)["files"]) > 2
    assert not any(files_of(stage).values())
    assert stage.run("plan", "--detailed-exitcode").code == 0

"""`outputs pull` through the whole command line: the files it writes, its output, and its requests to the API."""

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

from reconciler.documents import result_summary
from reconciler.environment import Environment
from reconciler.outputs.store import FolderStore
from reconciler.outputs.summaries import job_summaries, work_summaries
from tests.cli.schemas import conforming
from tests.cli.stage import HI, UNSTEADY, Fault, Result, Stage

HOUR = 3600
NOT_FOUND = b'{"detail": "Not Found"}'
JOB = "00000002-0000-4000-8000-000000000000"
"""The first job of a stage with one input file."""
CONTENT = "/v1/files/[^/]+/content"


def pull(stage: Stage, *argv: str, **more: Any) -> tuple[Result, dict[str, Any]]:  # noqa: ANN401 - as `run` takes them
    """Pull, and return the report as a value, too."""
    result = stage.run("outputs", "pull", "--format", "json", *argv, **more)
    return result, conforming("outputs", result.out)


def results(stage: Stage, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the joined results of a job's name."""
    text = (stage.root / "outputs" / job["name"] / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def ended(stage: Stage, *, seconds: float = 60) -> None:
    """Apply the specs and let the jobs end."""
    assert stage.run("apply", "--yes").code == 0
    stage.advance(seconds)


@pytest.fixture
def mixed(stage: Stage) -> Stage:
    """Jobs with every kind of end, and one that runs."""
    stage.spec("fine", requests=4)
    stage.spec("unsteady")
    stage.write("specs/data/unsteady.jsonl", UNSTEADY)
    stage.spec("stopped", requests=100)
    stage.spec("stuck", requests=6, model="sandbox-stuck", timeout_hours=1)
    stage.spec("unknown", model="sandbox-unknown-model")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(2)
    stopped = next(job["id"] for job in stage.jobs() if job["name"] == "stopped")
    assert stage.run("jobs", "cancel", "--yes", stopped).code == 0
    stage.advance(2 * HOUR)
    stage.spec("running", requests=1000)
    assert stage.run("apply", "--yes", "--only", "running").code == 0
    stage.advance(2)
    return stage


def test_results_of_every_ended_job_are_pulled_whatever_its_end(
    mixed: Stage, golden: Callable[..., None]
) -> None:
    first = mixed.run("outputs", "pull")
    again = mixed.run("outputs", "pull")
    golden(first, again)
    assert (first.code, again.code) == (0, 0)
    assert not [sent for sent in again.sent if re.fullmatch(CONTENT, sent.path)]


def test_the_numbers_are_those_that_the_workspace_knows(mixed: Stage) -> None:
    jobs = {job["id"]: job for job in mixed.jobs()}
    report = pull(mixed)[1]
    assert report["running"] == 1
    assert len(report["jobs"]) == 5
    for pulled in report["jobs"]:
        known, reported = jobs[pulled["job_id"]], pulled["summary"]
        assert reported["status"] == known["status"]
        assert reported["requests"]["ok"] == known["succeeded_requests"]
        assert reported["requests"]["failed"] == known["failed_requests"]
        if known["status"] != "FAILED":
            answered = known["succeeded_requests"] + known["failed_requests"]
            assert reported["requests"]["total"] == known["total_requests"]
            assert reported["requests"]["missing"] == known["total_requests"] - answered
            assert len(results(mixed, pulled)) == known["total_requests"]


def test_files_are_what_the_workspace_holds_and_the_summary_says_so(mixed: Stage) -> None:
    report = pull(mixed)[1]
    for pulled in report["jobs"]:
        folder = mixed.root / pulled["path"]
        said = conforming("summary", (folder / "summary.json").read_text(encoding="utf-8"))
        assert said == pulled["summary"]
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [*(file["path"] for file in said["files"]), result_summary.NAME]
        )
        for file in said["files"]:
            data = (folder / file["path"]).read_bytes()
            assert file["sha256"] == hashlib.sha256(data).hexdigest()
            assert file["bytes"] == len(data)
            assert file["lines"] == data.count(b"\n") or file["path"].endswith(".idx")
        assert (
            conforming("work", (folder.parents[1] / "summary.json").read_text(encoding="utf-8"))["jobs"]
        ) == [pulled["job_id"]]
    found = job_summaries(FolderStore(mixed.root / "outputs"))
    assert sorted(found) == sorted(pulled["job_id"] for pulled in report["jobs"])


def test_results_are_joined_in_the_order_of_the_inputs_though_answers_come_in_another(stage: Stage) -> None:
    stage.spec("a", requests=250)
    ended(stage)
    pulled = pull(stage)[1]["jobs"][0]
    folder = stage.root / pulled["path"]
    answered = [json.loads(line)["custom_id"] for line in (folder / "output.jsonl").read_text().splitlines()]
    asked = [f"r{number}" for number in range(250)]
    assert [row["custom_id"] for row in results(stage, pulled)] == asked != answered
    assert sorted(answered) == sorted(asked)


def test_failed_requests_are_counted_by_kind_and_say_why(stage: Stage) -> None:
    stage.spec("unsteady")
    rows = [json.dumps({"custom_id": f"r{n}!fail", "body": HI}) for n in range(4)]
    stage.write("specs/data/unsteady.jsonl", UNSTEADY + "".join(f"{row}\n" for row in rows))
    ended(stage)
    result, report = pull(stage)
    requests = report["jobs"][0]["summary"]["requests"]
    assert (result.code, requests["ok"], requests["failed"]) == (0, 1, 5)
    assert sum(requests["failures"].values()) == 5
    assert set(requests["failures"]) == {"http_400", "http_429", "http_500", "error"}
    kinds = [row["error"]["kind"] for row in results(stage, report["jobs"][0]) if not row["ok"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == requests["failures"]


def test_names_and_globs_select_jobs(stage: Stage) -> None:
    for name in ("tickets-fr", "tickets-de", "digest"):
        stage.spec(name)
    ended(stage)
    assert [job["name"] for job in pull(stage, "tickets-*")[1]["jobs"]] == ["tickets-de", "tickets-fr"]
    assert [job["name"] for job in pull(stage, "digest", "tickets-fr")[1]["jobs"]] == ["digest", "tickets-fr"]
    wrong = stage.run("outputs", "pull", "tickets-rf")
    assert wrong.code == 64
    assert "no job is called tickets-rf" in wrong.err
    assert "hint: did you mean `tickets-fr`?" in wrong.err


@pytest.mark.parametrize("pulled_before", [False, True])
def test_a_renamed_spec_takes_its_results_along(stage: Stage, *, pulled_before: bool) -> None:
    path = stage.spec("before")
    ended(stage)
    before = b""
    if pulled_before:
        pull(stage)
        before = (stage.root / "outputs/before/results.jsonl").read_bytes()
    path.write_text(path.read_text().replace('name: "before"', 'name: "after"'))
    state = "present" if pulled_before else "pulled"
    for name in ("after", "before"):
        report = pull(stage, name)[1]
        assert [(job["name"], job["state"]) for job in report["jobs"]] == [("after", state)]
        state = "present"
    assert [path.name for path in (stage.root / "outputs").iterdir() if path.is_dir()] == ["after"]
    assert conforming("work", (stage.root / "outputs/after/summary.json").read_text())["current"]
    assert (stage.root / "outputs/after/results.jsonl").read_bytes().endswith(before)


def forget_what_was_asked(stage: Stage) -> None:
    """Delete the indexes that `apply` wrote, as if the inputs had not been on its machine."""
    for path in (stage.root / "outputs").rglob("asked.idx"):
        path.unlink()


def test_a_job_that_runs_is_not_pulled_and_one_line_says_so(stage: Stage) -> None:
    stage.spec("a")
    assert stage.run("apply", "--yes").code == 0
    result = stage.run("outputs", "pull")
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert "0 jobs ended, 1 not yet · no results yet" in result.out


def test_inputs_that_changed_here_are_taken_from_the_workspace(stage: Stage) -> None:
    stage.spec("a", requests=5)
    ended(stage)
    forget_what_was_asked(stage)
    stage.lines("specs/data/a.jsonl", 2, text="changed")
    result, report = pull(stage)
    assert report["jobs"][0]["summary"]["inputs"] == "uploaded"
    assert [row["custom_id"] for row in results(stage, report["jobs"][0])] == [f"r{n}" for n in range(5)]
    assert len([sent for sent in result.sent if re.fullmatch(CONTENT, sent.path)]) == 2
    assert not list((stage.root / "outputs").rglob("asked-*"))


def test_inputs_that_are_here_are_not_fetched(stage: Stage) -> None:
    stage.spec("a")
    ended(stage)
    result, report = pull(stage)
    assert report["jobs"][0]["summary"]["inputs"] == "local"
    assert len([sent for sent in result.sent if re.fullmatch(CONTENT, sent.path)]) == 1


def test_requests_that_stand_in_the_spec_are_its_inputs(stage: Stage) -> None:
    ids = ["one", "two", "three"]
    stage.spec("a", input_files=None, requests=2)
    stage.write(
        "specs/a.yaml",
        "name: a\nendpoint: /v1/embeddings\nmodel: mistral-embed\nrequests:\n"
        + "".join(f"  - {{custom_id: {each}, body: {{input: hello}}}}\n" for each in ids),
    )
    (stage.root / "specs/data/a.jsonl").unlink()
    ended(stage)
    pulled = pull(stage)[1]["jobs"][0]
    assert pulled["summary"]["inputs"] == "local"
    assert [row["custom_id"] for row in results(stage, pulled)] == ids


def test_inputs_that_are_nowhere_are_reported_and_the_answers_keep_their_order(stage: Stage) -> None:
    stage.spec("a", requests=3)
    ended(stage)
    forget_what_was_asked(stage)
    (stage.root / "specs/a.yaml").unlink()
    (stage.root / "specs/data/a.jsonl").unlink()
    stage.spec("other")
    fault = Fault("GET", "/v1/files/00000001[^/]+", 404, body=NOT_FOUND)
    stage.faults = [fault]
    result = stage.run("outputs", "pull")
    assert (result.code, fault.times) == (0, 0)
    assert "the inputs were found neither here nor in the workspace" in result.out
    (found,) = job_summaries(FolderStore(stage.root / "outputs")).values()
    assert (found.inputs, found.requests.ok, found.requests.total, found.requests.missing) == (
        "none",
        3,
        3,
        0,
    )


def test_specs_with_mistakes_keep_no_results_away(stage: Stage) -> None:
    stage.spec("a")
    ended(stage)
    stage.write("specs/broken.yaml", "name: [")
    result = stage.run("outputs", "pull")
    assert result.code == 0
    assert "note: specs/broken.yaml: invalid, so left out here" in result.err
    assert "1 pulled" in result.out


def test_a_result_file_that_is_not_there_just_after_the_end_is_asked_for_again(stage: Stage) -> None:
    stage.spec("a")
    ended(stage)
    stage.faults = [Fault("GET", "/v1/files/[^/]+", 404, body=NOT_FOUND)]
    first = stage.run("outputs", "pull")
    assert first.code == 1
    assert "output.jsonl of job 00000002" in first.out
    assert "hint: the job has just ended: run again in a few minutes" in first.out
    assert "1 pulled" in stage.run("outputs", "pull").out


@pytest.mark.parametrize(
    ("status", "path", "seconds"),
    [
        (404, "/v1/files/[^/]+", 2 * HOUR),
        (410, "/v1/files/[^/]+", 2 * HOUR),
        (410, "/v1/files/[^/]+/content", 2 * HOUR),
        (410, "/v1/files/[^/]+", 60),
    ],
)
def test_a_result_file_that_is_gone_is_reported_once_and_needs_attention(
    stage: Stage, status: int, path: str, seconds: float
) -> None:
    stage.spec("a")
    ended(stage, seconds=seconds)
    stage.faults = [Fault("GET", path, status, body=NOT_FOUND)]
    first = stage.run("outputs", "pull")
    assert first.code == 6
    assert "output.jsonl is missing" in first.out
    assert [event["event"] for event in first.events if "gone" in str(event["event"])] == ["results.gone"]
    again = stage.run("outputs", "pull")
    assert (again.code, again.out.count("\n")) == (0, 1)
    (found,) = job_summaries(FolderStore(stage.root / "outputs")).values()
    assert (found.requests.ok, found.requests.missing, found.tokens) == (0, 3, None)


def test_what_fails_leaves_the_rest_pulled_and_goes_on_next_time(stage: Stage) -> None:
    stage.spec("a")
    stage.spec("b")
    ended(stage)
    stage.faults = [Fault("GET", "/v1/files/[^/]+/content", 403)]
    first, report = pull(stage)
    assert (first.code, [job["state"] for job in report["jobs"]]) == (5, ["failed", "pulled"])
    assert "403" in report["jobs"][0]["message"]
    assert not list((stage.root / "outputs").rglob("claim-*"))
    second, report = pull(stage)
    assert (second.code, [job["state"] for job in report["jobs"]]) == (0, ["pulled", "present"])


@pytest.mark.parametrize("what", [503, 429, "reset", "timeout", "refused"])
def test_faults_that_pass_cost_nothing_but_time(stage: Stage, what: Any) -> None:  # noqa: ANN401 - as Fault takes it
    stage.spec("a")
    ended(stage)
    stage.faults = [Fault("GET", "/v1/files/.*", what, times=3)]
    assert pull(stage)[0].code == 0


def test_a_destination_that_cannot_be_written_is_reported(stage: Stage) -> None:
    stage.spec("a")
    ended(stage)
    stage.write("file", "in the way")
    stage.environ["RECONCILER_RESULTS"] = "file"
    result = stage.run("outputs", "pull")
    assert result.code == 1
    assert "Traceback" not in result.err


class Rewriting(httpx.BaseTransport):
    """Sends something else in place of each result file, whose length the API does not say."""

    def __init__(self, inner: httpx.BaseTransport, content: Callable[[bytes], bytes]) -> None:
        self._inner = inner
        self._content = content

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if re.fullmatch("/v1/files/[^/]+", request.url.path):
            return httpx.Response(200, json=json.loads(answer.read()) | {"bytes": None})
        if not re.fullmatch(CONTENT, request.url.path):
            return answer
        return httpx.Response(200, content=self._content(answer.read()))

    def close(self) -> None:
        self._inner.close()


def rewriting(content: Callable[[bytes], bytes]) -> Callable[[Environment], Environment]:
    return lambda env: replace(
        env, wrap_transport=lambda inner: Rewriting(env.wrap_transport(inner), content)
    )


def test_lines_that_cannot_be_used_are_counted_and_need_attention(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("a", requests=5)
    ended(stage)

    def damaged(data: bytes) -> bytes:
        lines = data.splitlines()
        stranger = lines[0].replace(b'"custom_id":"r4"', b'"custom_id":"\\u001b[31mstranger"')
        assert stranger != lines[0]
        return b"\n".join([*lines[1:], stranger, lines[1], b"nonsense", b"\xff", b"[" * 9999]) + b"\n" * 800

    result = stage.run("outputs", "pull", env=rewriting(damaged))
    assert result.code == 6
    assert "\x1b" not in result.out
    golden(result)
    (found,) = job_summaries(FolderStore(stage.root / "outputs")).values()
    assert (found.trouble.malformed, found.trouble.repeated, found.trouble.unknown) == (3, 1, 1)
    assert (found.requests.ok, found.requests.missing, found.requests.first_missing) == (4, 1, ("r4",))


def test_requests_that_were_not_checked_here_may_repeat_an_id_and_the_first_answer_counts(
    stage: Stage,
) -> None:
    """Far enough apart to be read at different times."""
    names = ["a", *(f"r{number}" for number in range(3000)), "a"]

    def content(data: bytes) -> bytes:
        if b'"response"' not in data:
            return b"".join(
                b'{"custom_id":"%s","body":{"pad":"%s"}}\n' % (it.encode(), b"p" * 999) for it in names
            )
        return b"".join(
            b'{"custom_id":"%s","response":{"status_code":200,"body":{"at":%d,"pad":"%s"}}}\n'
            % (it.encode(), at, b"p" * 999)
            for at, it in enumerate(names)
        )

    stage.spec("a", requests=5)
    ended(stage)
    forget_what_was_asked(stage)
    stage.lines("specs/data/a.jsonl", 2, text="changed, so the requests come from the workspace")
    result = stage.run("outputs", "pull", env=rewriting(content))
    (found,) = job_summaries(FolderStore(stage.root / "outputs")).values()
    assert (result.code, found.inputs) == (6, "uploaded")
    assert (found.requests.ok, found.trouble.repeated) == (3001, 1)


def test_the_folder_is_kept_out_of_git_unless_it_was_there(stage: Stage) -> None:
    stage.spec("a")
    stage.commit("first")
    ended(stage)
    assert stage.run("outputs", "pull").code == 0
    stage.environ["RECONCILER_RESULTS"] = "elsewhere/results"
    assert stage.run("outputs", "pull").code == 0
    assert stage.git("status", "--porcelain") == ""
    (stage.root / "kept").mkdir()
    stage.environ["RECONCILER_RESULTS"] = "kept"
    assert stage.run("outputs", "pull").code == 0
    assert stage.git("status", "--porcelain") == "?? kept/"


def test_results_go_to_an_object_store(stage: Stage, bucket: Any) -> None:  # noqa: ANN401 - without types
    stage.spec("a")
    ended(stage)
    stage.write(
        "reconciler.yaml", "project: shop\nresults: s3://bucket/results\nlimits: {settle_seconds: 0}\n"
    )
    first, report = pull(stage)
    assert (first.code, report["place"]) == (0, "s3://bucket/results")
    path = report["jobs"][0]["path"]
    assert path.startswith("s3://bucket/results/a/jobs/")
    assert names(bucket, path) == ["answers.idx", "asked.idx", "output.jsonl", "summary.json"]
    (joined,) = report["results"]
    assert names(bucket, "s3://bucket/results/a") == [
        "jobs",
        joined["path"].rpartition("/")[2],
        "summary.json",
    ]
    data = bucket.cat_file(joined["path"])
    assert joined["summary"]["results"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert stage.run("outputs", "path", "a").out == joined["path"] + "\n"
    assert "3 ok" in stage.run("outputs", "show").out
    second, report = pull(stage)
    assert [job["state"] for job in report["jobs"]] == ["present"]
    assert not [sent for sent in second.sent if "/files/" in sent.path]
    assert not list((stage.root / ".reconciler").rglob("output.jsonl"))
    stage.lines("specs/data/a.jsonl", 2, text="changed")
    ended(stage)
    again = pull(stage)[1]["results"][0]
    assert again["path"] != joined["path"]
    assert names(bucket, "s3://bucket/results/a") == [
        "jobs",
        again["path"].rpartition("/")[2],
        "summary.json",
    ]


def names(bucket: Any, path: str) -> list[str]:  # noqa: ANN401 - without types
    return sorted(name.rpartition("/")[2] for name in bucket.ls(path, detail=False))


def test_a_run_that_was_asked_to_stop_begins_nothing_and_leaves_no_claim(stage: Stage) -> None:
    for name in "abc":
        stage.spec(name)
    ended(stage)

    def stopping(env: Environment) -> Environment:
        def content(data: bytes) -> bytes:
            env.stop.set()
            return data

        return rewriting(content)(env)

    result, report = pull(stage, env=stopping)
    assert {job["state"] for job in report["jobs"]} == {"stopped"}
    assert len([sent for sent in result.sent if re.fullmatch(CONTENT, sent.path)]) == 1
    assert not list((stage.root / "outputs").rglob("claim-*"))
    assert pull(stage)[0].code == 0


def test_a_summary_of_a_newer_version_is_none_that_we_read(tmp_path: Path) -> None:
    folder = tmp_path / "name/jobs/job"
    folder.mkdir(parents=True)
    (folder / result_summary.NAME).write_bytes(b'{"v": 2}')
    (tmp_path / "name" / result_summary.NAME).write_bytes(b'{"v": 2}')
    (tmp_path / "name/jobs/other").mkdir()
    (tmp_path / "name/jobs/other" / result_summary.NAME).write_bytes(b"\xff")
    assert job_summaries(FolderStore(tmp_path)) == {}
    assert list(work_summaries(FolderStore(tmp_path))) == []

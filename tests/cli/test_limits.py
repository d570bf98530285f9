"""Limits of the server: rate limits, pauses, sizes, and a host that has no batch jobs."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.environment import Environment
from tests.cli.stage import START, Fault, Stage
from tests.helpers.thorough import thorough
from tests.simulation.baton import Baton

JOBS = "/v1/batch/jobs"
NO_FILES = {"object": "list", "total": 0, "data": []}


def foreign(number: int) -> bytes:
    """A job of another person, as JSON."""
    job = {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "object": "batch",
        "input_files": [],
        "metadata": {},
        "endpoint": "/v1/ocr",
        "model": "mistral-ocr-latest",
        "errors": [],
        "status": "SUCCESS",
        "created_at": int(START) - 10**6 + number,
        "total_requests": 1,
        "completed_requests": 1,
        "succeeded_requests": 1,
        "failed_requests": 0,
    }
    return json.dumps(job).encode()


@dataclass
class Limited(httpx.BaseTransport):
    """An API that takes 50 ms per request and allows some requests per second, in virtual time."""

    baton: Baton
    rate: float
    inner: httpx.BaseTransport
    refused: int = 0
    _tokens: float = 0.0
    _filled: float = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.baton.sleep(0.05)
        self._tokens = min(self.rate, self._tokens + (self.baton.now - self._filled) * self.rate)
        self._filled = self.baton.now
        if self._tokens < 1:
            self.refused += 1
            return httpx.Response(429, headers={"Retry-After": "1"}, json={"message": "Rate limit exceeded"})
        self._tokens -= 1
        return self.inner.handle_request(request)


@dataclass
class Workspace(httpx.BaseTransport):
    """An API that has many jobs, and takes uploads and creates."""

    jobs: list[bytes]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Of the creates."""
    uploads: int = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/files":
            return httpx.Response(200, json=self._upload(request) if request.method == "POST" else NO_FILES)
        if request.method == "POST":
            return httpx.Response(200, content=self._create(json.loads(request.read())))
        if request.url.path == "/v1/models":
            return httpx.Response(404)
        page, size = (int(request.url.params[name]) for name in ("page", "page_size"))
        newest = request.url.params["order_by"] == "-created"
        listed = (self.jobs[::-1] if newest else self.jobs)[page * size : (page + 1) * size]
        body = b'{"object":"list","total":%d,"data":[%b]}' % (len(self.jobs), b",".join(listed))
        return httpx.Response(200, content=body)

    def _upload(self, request: httpx.Request) -> dict[str, Any]:
        self.uploads += 1
        size = len(request.read())
        file_id = f"{self.uploads:08x}-0000-4000-8000-000000000001"
        return {
            "id": file_id,
            "object": "file",
            "bytes": size,
            "created_at": int(START),
            "filename": file_id,
            "purpose": "batch",
            "sample_type": "batch_request",
            "source": "upload",
        }

    def _create(self, body: dict[str, Any]) -> bytes:
        self.bodies.append(body)
        job = json.loads(foreign(len(self.jobs))) | {
            "metadata": body["metadata"],
            "status": "QUEUED",
            "created_at": int(START),
        }
        self.jobs.append(json.dumps(job).encode())
        return self.jobs[-1]


def in_virtual_time(env: Environment, baton: Baton, api: httpx.BaseTransport) -> Environment:
    """Return an environment whose threads and clock are the baton's."""
    return replace(
        env,
        now=lambda: START + baton.now,
        monotonic=lambda: baton.now,
        sleep=baton.sleep,
        map_concurrently=lambda do, items, *, max_workers: baton.side_by_side(do, items, at_once=max_workers),
        result_of=baton.result_of,
        wrap_transport=lambda _: api,
    )


@pytest.mark.parametrize(("pages", "rate"), [(21, 2.0), thorough(201, 10.0), thorough(60, 1.0)])
def test_a_long_list_is_read_through_a_rate_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pages: int, rate: float
) -> None:
    """`plan` reads it once and `apply` three times, each in about the time that the limit needs."""
    stage, baton = Stage(tmp_path, capsys), Baton(random.Random(7))
    stage.environ = {"MISTRAL_API_KEY": "a-key-of-the-test", "MISTRAL_BASE_URL": "http://localhost:1"}
    for name in "abc":
        requests = f"[{{custom_id: {name}, body: {{document: {{}}}}}}]"
        stage.write(
            f"specs/{name}.yaml", f"name: {name}\nendpoint: /v1/ocr\nmodel: m\nrequests: {requests}\n"
        )
    workspace = Workspace([foreign(number) for number in range((pages - 1) * 100 + 1)])
    api = Limited(baton, rate, workspace)
    plan = stage.run("plan", env=lambda env: in_virtual_time(env, baton, api))
    assert (plan.code, baton.now < 1.6 * pages / rate) == (0, True), plan.err
    assert "3 to create" in plan.out
    assert api.refused < baton.now + 40
    paused = [event["seconds"] for event in plan.events if event["event"] == "requests.paused"]
    assert 0 < len(paused) <= api.refused
    assert set(paused) == {2}  # the second that the API asks for, and a little more
    assert "request.failed" not in plan.err
    began = baton.now
    apply = stage.run("apply", "--yes", env=lambda env: in_virtual_time(env, baton, api))
    assert (apply.code, baton.now - began < 1.6 * (3 * pages + 10) / rate) == (0, True), apply.err
    assert "3 created" in apply.out
    assert [len(body["input_files"]) for body in workspace.bodies] == [1, 1, 1]
    assert workspace.uploads == 3


def test_uploads_creates_and_cancels_get_through_one_request_a_second(stage: Stage) -> None:
    """A write that follows a read at once would be refused each time, and be read before each time."""
    baton = Baton(random.Random(7))
    stage.environ["RECONCILER_SANDBOX_SPEED"] = "0.0001"

    def limited(env: Environment) -> Environment:
        timed = in_virtual_time(env, baton, httpx.BaseTransport())
        return replace(timed, wrap_transport=lambda inner: Limited(baton, 1.0, inner))

    for name in "abc":
        stage.spec(name, reuse=False)
    first = stage.run("apply", "--yes", env=limited)
    assert (first.code, "3 created" in first.out) == (0, True), first.err
    for name in "ab":
        stage.spec(name, requests=4, reuse=False)
    (stage.root / "specs/c.yaml").unlink()
    second = stage.run("apply", "--yes", "--max-cancel-share", "1", env=limited)
    assert (second.code, "2 created, 3 cancelled" in second.out) == (0, True), second.err + second.out
    assert baton.now < 120


def test_a_wait_beyond_the_deadline_ends_the_run_at_once(stage: Stage) -> None:
    stage.spec("a")
    stage.faults = [Fault("GET", JOBS, 429, headers={"Retry-After": "3600"}, body=b"{}", times=9)]
    result = stage.run("plan")
    assert result.code == 1
    assert len(result.sent) == 1
    assert stage.clock == START
    assert "429: Too Many Requests (the API asks to wait until 2026-09-21T15:13:20Z (3,600 s)" in result.err
    assert "hint: run the same command again after 2026-09-21T15:13:20Z" in result.err


def in_the_spec(stage: Stage) -> None:
    """Declare a job whose requests are in the spec."""
    rows = [{"body": {"input": text}, "custom_id": text[:1]} for text in ("x", "é")]
    body = {"name": "own", "endpoint": "/v1/embeddings", "model": "mistral-embed", "requests": rows}
    stage.write("specs/own.yaml", json.dumps(body, ensure_ascii=False))


def test_requests_in_the_spec_are_uploaded_as_a_file(stage: Stage) -> None:
    in_the_spec(stage)
    assert "uploads specs/own.yaml (" in stage.run("plan").out
    stage.run("plan", "-o", "plan.json")
    first = stage.run("apply", "plan.json")
    assert first.code == 0
    assert [sent.path for sent in first.writes] == ["/v1/files", JOBS]
    upload, create = first.writes
    rows = [json.loads(line) for line in upload.body.split(b"\n") if line.startswith(b"{")]
    assert rows == [{"custom_id": text, "body": {"input": text}} for text in ("x", "é")]
    sent = json.loads(create.body)
    assert (len(sent["input_files"]), "requests" in sent) == (1, False)
    assert stage.run("apply", "--yes").writes == []
    stage.advance(3600)
    pulled = stage.run("outputs", "pull")
    assert (pulled.code, "2 ok" in pulled.out) == (0, True)


def test_the_reasons_why_a_workspace_may_not_create_jobs_follow_the_message(stage: Stage) -> None:
    stage.spec("a")
    body = b'{"detail":"You have reached your monthly spending limit"}'
    stage.faults = [Fault("POST", JOBS, 402, body=body)]
    result = stage.run("apply", "--yes")
    assert result.code == 1
    assert "402: You have reached your monthly spending limit" in result.out
    assert "Known causes" in result.out


def test_a_host_without_batch_jobs_is_suspected_if_the_list_is_not_found(stage: Stage) -> None:
    stage.spec("a")
    stage.faults = [Fault("GET", JOBS, 404, body=b'{"detail":"Not Found"}')]
    result = stage.run("plan")
    assert result.code == 1
    assert "the host of the base URL has no batch API" in result.err


def test_a_proxy_that_cannot_be_reached_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:9")
    stage.spec("a")
    stage.environ = {"MISTRAL_API_KEY": "a-key-of-the-test"}
    result = stage.run("plan", env=lambda env: replace(env, wrap_transport=lambda inner: inner))
    assert result.code == 1
    assert "the proxy 127.0.0.1:9 in HTTPS_PROXY cannot be reached: connection refused" in result.err
    assert "hunter2" not in result.err


@pytest.mark.parametrize("status", [404, 410])
def test_a_job_that_is_gone_is_missed_and_not_submitted_again(stage: Stage, status: int) -> None:
    stage.spec("a")
    stage.run("apply", "--yes")
    (job,) = stage.jobs()
    with stage.console() as client:
        client.delete(f"{JOBS}/{job['id']}").raise_for_status()
    stage.advance(600)
    stage.faults = [Fault("GET", f"{JOBS}/.+", status, body=b"{}", times=9)]
    result = stage.run("apply", "--yes", "--allow-other-workspace")
    assert (result.code, result.writes) == (0, [])
    assert "its job is not in this workspace" in result.out


@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_is_gone_is_sent_again(stage: Stage, status: int) -> None:
    stage.spec("a")
    stage.run("apply", "--yes")
    stage.spec("a", rerun="2")
    stage.faults = [
        Fault("POST", JOBS, 400, body=b'{"detail":"no such file"}'),
        Fault("GET", "/v1/files/.+", status, body=b"{}"),
    ]
    stage.advance(600)
    result = stage.run("apply", "--yes")
    assert result.code == 0, result.err
    assert [sent.path for sent in result.writes] == [JOBS, "/v1/files", JOBS]


def test_a_request_in_the_spec_is_at_most_as_long_as_a_line_of_a_file(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {line_bytes: 1100}\n")
    rows = [{"custom_id": text[:1], "body": {"input": text}} for text in ("x" * 1063, "y" * 1064)]
    body = {"name": "own", "endpoint": "/v1/embeddings", "model": "mistral-embed", "requests": rows}
    stage.write("specs/own.yaml", json.dumps(body))
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (1, [])
    assert "requests[1]: the line is too long: more than 1,100 bytes" in result.out + result.err
    assert "requests[0]" not in result.out + result.err

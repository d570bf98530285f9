"""`on_end`: `apply`, and no other command, reports each end once, whether the hook succeeds or fails."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from reconciler.notifications.deliver import MAX_CLAIMED_TOGETHER, MAX_CONSECUTIVE_FAILURES
from tests.cli.processes import POSIX, Shop, finish, gated
from tests.cli.schemas import validator
from tests.cli.stage import Result, Stage

needs_ledger = pytest.mark.needs_ledger("every run reports the same ends again")
RECEIVED = """\
import os, sys
with open("received.jsonl", "a") as file:
    file.write(sys.stdin.read() + "\\n")
with open("environ", "w") as file:
    file.write(repr(dict(os.environ)))
sys.exit(int(open("code").read() or 0) if os.path.exists("code") else 0)
"""


def hook(stage: Stage, **more: object) -> None:
    """Configure `on_end` to run a program that records its input."""
    stage.write("receive.py", RECEIVED)
    on_end = {"command": [sys.executable, "receive.py"], **more}
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps(on_end)}\n")


def received(stage: Stage) -> list[dict[str, Any]]:
    """Return the reported ends, each checked against its schema."""
    path = stage.root / "received.jsonl"
    reported = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for each in reported:
        assert not list(validator("end").iter_errors(each))
    return reported


def reported(result: Result) -> list[object]:
    """Return the names of the events about notifications."""
    return [event["event"] for event in result.events if str(event["event"]).startswith("notification")]


def apply(stage: Stage, *argv: str) -> Result:
    result = stage.run("apply", "--yes", *argv)
    assert result.code == 0
    return result


@needs_ledger
def test_an_end_is_reported_once_with_its_numbers(stage: Stage) -> None:
    hook(stage)
    stage.spec("a", requests=4)
    assert reported(apply(stage)) == ["notifications.enabled"]
    stage.advance(60)
    assert reported(apply(stage)) == ["notification.delivered"]
    assert reported(apply(stage)) == []
    (end,) = received(stage)
    (job,) = stage.jobs()
    assert end["job_id"] == job["id"]
    assert end["id"] == f"{job['id']}:SUCCESS"
    assert end["text"] == "shop: a complete, SUCCESS (4 ok)"
    assert end["requests"] == {"total": 4, "ok": 4, "failed": 0, "missing": 0}
    assert (end["status"], end["phase"], end["name"]) == ("SUCCESS", "SUCCEEDED", "a")


@needs_ledger
def test_every_way_to_end_is_reported(stage: Stage) -> None:
    hook(stage)
    stage.spec("fine")
    stage.spec("unknown", model="sandbox-unknown")
    stage.spec("stuck", model="sandbox-stuck", timeout_hours=1, retry={"max_attempts": 1})
    stage.spec("stopped", requests=500)
    apply(stage)
    stage.advance(3)
    stopped = next(job["id"] for job in stage.jobs() if job["name"] == "stopped")
    stage.run("jobs", "cancel", "--yes", stopped)
    stage.advance(7200)
    apply(stage)
    assert {end["name"]: end["phase"] for end in received(stage)} == {
        "fine": "SUCCEEDED",
        "unknown": "FAILED",
        "stuck": "TIMED_OUT",
        "stopped": "CANCELLED",
    }
    assert "unknown model" in next(end["text"] for end in received(stage) if end["name"] == "unknown")


@needs_ledger
def test_ends_before_on_end_was_configured_are_not_reported(stage: Stage) -> None:
    stage.spec("before")
    apply(stage)
    stage.advance(60)
    hook(stage)
    stage.spec("after")
    apply(stage)
    stage.advance(60)
    apply(stage)
    assert [end["name"] for end in received(stage)] == ["after"]


@needs_ledger
def test_a_hook_that_fails_is_reported_again_by_the_next_apply_and_hurts_nothing(stage: Stage) -> None:
    hook(stage)
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    stage.write("code", "3")
    failed = apply(stage)
    assert reported(failed) == ["notification.failed"]
    assert [event["error"] for event in failed.events if event["event"] == "notification.failed"] == [
        "exit code 3"
    ]
    stage.write("code", "0")
    assert reported(apply(stage)) == ["notification.delivered"]
    assert reported(apply(stage)) == []
    assert len(received(stage)) == 2
    assert len({end["id"] for end in received(stage)}) == 1


@needs_ledger
def test_a_hook_that_fails_without_end_is_given_up(stage: Stage) -> None:
    hook(stage)
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    stage.write("code", "3")
    outcomes = [reported(apply(stage)) for _ in range(21)]
    assert outcomes == [["notification.failed"]] * 19 + [["notification.abandoned"], []]


@needs_ledger
def test_a_receiver_that_is_down_is_not_asked_for_each_end(stage: Stage) -> None:
    hook(stage)
    for number in range(MAX_CLAIMED_TOGETHER + 3):
        stage.spec(f"job-{number:02}")
    apply(stage)
    stage.advance(60)
    stage.write("code", "1")
    assert reported(apply(stage)) == ["notification.failed"] * MAX_CONSECUTIVE_FAILURES
    stage.write("code", "0")
    stage.advance(3600)
    assert reported(apply(stage)) == ["notification.delivered"] * (MAX_CLAIMED_TOGETHER + 3)
    assert set(Counter(end["id"] for end in received(stage)).values()) == {1, 2}


@needs_ledger
@POSIX
def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\n")
    command = ["sh", "-c", "sleep 60 & echo $! > pid; sleep 60"]
    on_end = {"command": command, "timeout_seconds": 0.5}
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps(on_end)}\n")
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    errors = [event.get("error") for event in apply(stage).events if event["event"] == "notification.failed"]
    assert errors == ["the command did not end within 0.5 s"]
    child = (stage.root / "pid").read_text().strip()
    state = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False)
    assert state.stdout.strip()[:1] in ("", "Z")


@needs_ledger
@pytest.mark.parametrize("command", [["no-such-program"], [""], ["a\0b"], ["."]])
def test_a_command_that_cannot_be_run_is_reported(stage: Stage, command: list[str]) -> None:
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps({'command': command})}\n")
    stage.spec("a")
    first = stage.run("apply", "--yes")
    if command == [""]:
        assert first.code == 1
        return
    stage.advance(60)
    assert reported(apply(stage)) == ["notification.failed"]


@needs_ledger
def test_a_hook_sees_no_key_and_what_it_says_is_cleaned(stage: Stage) -> None:
    hook(stage, environment=["COPY", "NAMED"])
    secret = "sk-Zq7xN0tAReAlKeY42"  # noqa: S105 - made up
    stage.environ |= {
        "MISTRAL_API_KEY": secret,
        "COPY": f"Bearer {secret}",
        "GIT_CONFIG_VALUE_0": "AUTHORIZATION: basic eA==",
        "GITHUB_TOKEN": "ghs_x",
        "HOME": "/home/ada",
        "NAMED": "yes",
        "https_proxy": "http://proxy.example:3128",
    }
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    apply(stage)
    given = ast.literal_eval((stage.root / "environ").read_text())
    own = {"LC_CTYPE", "PWD", "SHLVL", "_", "__CF_USER_TEXT_ENCODING"}  # of the shell and of Python
    assert given.keys() - own == {"HOME", "NAMED", "USER", "https_proxy"}


@needs_ledger
def test_only_apply_calls_a_hook(stage: Stage) -> None:
    hook(stage)
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    for argv in (["plan"], ["validate"], ["status"], ["outputs", "pull"], ["plan", "-o", "plan.json"]):
        assert stage.run(*argv).code == 0
    assert received(stage) == []


@needs_ledger
def test_ends_are_reported_though_a_guard_refuses_the_plan(stage: Stage) -> None:
    hook(stage)
    stage.spec("a")
    stage.spec("b", requests=5000)
    apply(stage)
    stage.advance(30)
    for path in (stage.root / "specs").glob("*.yaml"):
        path.unlink()
    refused = stage.run("apply", "--yes")
    assert refused.code == 3
    assert [end["name"] for end in received(stage)] == ["a"]


def test_a_command_and_a_webhook_are_one_too_many(stage: Stage, golden: Any) -> None:  # noqa: ANN401 - a fixture
    on_end = {"command": ["true"], "webhook": "https://example.org/hook"}
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps(on_end)}\n")
    result = stage.run("validate")
    assert result.code == 1
    golden(result)


@pytest.mark.parametrize(
    "webhook",
    [
        "http://example.org/hook",
        "ftp://x",
        "https://user:word@example.org/",
        "hook",
        "https://a b",
        "https://x/#f",
    ],
)
def test_an_address_that_nothing_may_be_posted_to_is_refused(stage: Stage, webhook: str) -> None:
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps({'webhook': webhook})}\n")
    result = stage.run("validate")
    assert result.code == 1
    assert "on_end.webhook" in result.err


class Receiver:
    """A server that records the requests, and answers with the status that a test sets."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/secret-token?x=y"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


@needs_ledger
def test_a_webhook_gets_the_end_without_the_key_and_again_until_it_says_yes(
    stage: Stage, receiver: Receiver
) -> None:
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps({'webhook': receiver.url})}\n")
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    for status, event in (
        (503, "notification.failed"),
        (302, "notification.failed"),
        (204, "notification.delivered"),
    ):
        receiver.status = status
        result = apply(stage)
        assert reported(result) == [event]
        assert "secret-token" not in result.err
    assert reported(apply(stage)) == []
    assert len(receiver.bodies) == 3
    assert not list(validator("end").iter_errors(receiver.bodies[0]))
    assert receiver.headers[0]["content-type"] == "application/json"
    assert "authorization" not in receiver.headers[0]


@needs_ledger
def test_a_webhook_without_an_answer_does_not_change_the_result(stage: Stage) -> None:
    on_end = {"webhook": "http://127.0.0.1:9/", "timeout_seconds": 5}
    stage.write("reconciler.yaml", f"project: shop\non_end: {json.dumps(on_end)}\n")
    stage.spec("a")
    apply(stage)
    stage.advance(60)
    result = apply(stage)
    (error,) = [str(event["error"]) for event in result.events if event["event"] == "notification.failed"]
    assert error.startswith("127.0.0.1: connection refused")


def git(folder: Path, *argv: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True)


def many(count: int, tmp_path: Path) -> None:
    """Several fresh clones share a ledger and apply at the same time: one of them reports each end."""
    with gated(tmp_path, speed=float("inf")) as (_, url):
        first = Shop(tmp_path / "first", url)
        program = "import sys; open(sys.argv[1], 'ab', 0).write(sys.stdin.buffer.read() + b'\\n')"
        on_end = {"command": [sys.executable, "-c", program, str(tmp_path / "received.jsonl")]}
        first.write(
            "reconciler.yaml",
            "project: shop\nledger: git\nlimits: {settle_seconds: 0}\n" + f"on_end: {json.dumps(on_end)}\n",
        )
        first.write(".gitignore", ".reconciler/\n")
        names = first.specs(4)
        for name in names:
            path = first.root / f"specs/{name}.yaml"
            path.write_text(path.read_text().replace("sandbox-stuck", "mistral-embed"))
        git(tmp_path, "init", "--quiet", "--bare", "origin.git")
        git(first.root, "init", "--quiet", "-b", "main")
        git(first.root, "add", ".")
        git(first.root, "commit", "--quiet", "-m", "Specs")
        git(first.root, "remote", "add", "origin", str(tmp_path / "origin.git"))
        git(first.root, "push", "--quiet", "origin", "HEAD:main")
        done = first.run("apply", "--yes")
        assert done.code == 0, done.err
        shops = []
        for number in range(count):
            git(tmp_path, "clone", "--quiet", "--branch", "main", "origin.git", f"clone-{number}")
            settings = (first.root / "reconciler.yaml").read_text()
            shop = Shop(tmp_path / f"clone-{number}", url)
            shop.write("reconciler.yaml", settings)
            shops.append(shop)
        outcomes = [finish(process) for process in [shop.start("apply", "--yes") for shop in shops]]
        assert [done.code for done in outcomes] == [0] * count, [done.err for done in outcomes]
        ends = [json.loads(line) for line in (tmp_path / "received.jsonl").read_text().splitlines()]
        assert Counter(end["name"] for end in ends) == dict.fromkeys(names, 1)


@pytest.mark.thorough
@POSIX
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_each_end_is_reported_by_one_of_many_fresh_clones(tmp_path: Path) -> None:
    many(3, tmp_path)


@POSIX
@pytest.mark.long
def test_each_end_is_reported_by_one_of_ten_fresh_clones(tmp_path: Path) -> None:
    many(10, tmp_path)


@needs_ledger
def test_a_work_in_parts_is_reported_once_when_it_is_complete(stage: Stage) -> None:
    hook(stage)
    stage.spec("a", requests=10, canary={"requests": 3})
    for _ in range(2):
        apply(stage)
        stage.advance(60)
    assert received(stage) == [], "the rest of the work follows the canary"
    apply(stage)
    apply(stage)
    (end,) = received(stage)
    assert (end["state"], end["attempt"], end["of"], end["reused"]) == ("complete", 2, 10, 3)
    assert end["states"] == {"of": 10, "answered": 10}
    assert end["text"] == "shop: a complete, SUCCESS (7 ok); 10 of 10 answered in 2 parts"


@needs_ledger
def test_a_held_work_is_reported_once_with_the_next_step(stage: Stage) -> None:
    hook(stage)
    stage.spec("a", requests=4, retry={"max_attempts": 2})
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace('"r1"', '"r1!fail-429"').replace('"r2"', '"r2!fail-400"'))
    for _ in range(4):
        apply(stage)
        stage.advance(60)
    (end,) = received(stage)
    assert (end["state"], end["attempt"], end["states"]) == (
        "held",
        2,
        {"of": 4, "answered": 2, "failed": 2, "read": True},
    )
    assert "2 of 4 requests have no answer" in end["why"]
    assert "reconciler retry a" in end["why"]

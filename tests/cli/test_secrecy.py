"""The key, the prompts and the contents of files appear in nothing that this tool writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.stage import Fault, Result, Stage

KEY = "Sk-Very-Distinctive-0123456789-Key"
PROMPT = "a-prompt-nobody-else-may-read"
JOBS = "/v1/batch/jobs"

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs and /proc")


class Listener:
    """A stage that remembers all that its commands have said."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.heard: list[Result] = []
        self.options: tuple[str, ...] = ("--log-level", "debug", "--log-file", "diary.jsonl")

    def run(self, *argv: str) -> Result:
        options = () if argv[0] in ("validate", "show") else self.options
        result = self.stage.run(*argv, *options)
        self.heard.append(result)
        return result

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that was said and all that was written, but for the specs themselves."""
        for result in self.heard:
            yield " ".join(("stdout of", *result.argv)), result.out.encode()
            yield " ".join(("stderr of", *result.argv)), result.err.encode()
        for path in self.stage.root.rglob("*"):
            if path.is_file() and not path.is_relative_to(self.stage.root / "specs"):
                yield str(path), path.read_bytes()

    def finds(self, secret: str) -> list[str]:
        return [place for place, data in self.everything() if secret.encode() in data]


@pytest.fixture
def listener(stage: Stage, served: str) -> Listener:
    """A project with prompts in every kind of input, on a sandbox over HTTP."""
    stage.environ = {"USER": "ada", "MISTRAL_BASE_URL": served}
    stage.spec("from-a-file", requests=500)
    stage.lines("specs/data/from-a-file.jsonl", 500, text=PROMPT)
    requests = [{"custom_id": "a", "body": {"messages": [{"role": "user", "content": PROMPT}]}}]
    stage.spec("inline", input_files=None, requests=3)
    stage.write(
        "specs/inline.yaml",
        "name: inline\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\n"
        f"requests: {json.dumps(requests)}\n",
    )
    (stage.root / "specs/data/inline.jsonl").unlink()
    return Listener(stage)


def play(listener: Listener) -> None:
    """Use every command, well and badly."""
    stage, run = listener.stage, listener.run
    assert run("validate").code == 0
    assert run("plan", "-o", "plan.json", "--format", "json").code == 0
    assert run("show", "plan.json").code == 0
    assert run("apply", "plan.json").code == 0
    for form in ("text", "json", "markdown"):
        assert run("status", "--format", form).code == 0
    listed = json.loads(run("jobs", "list", "--all", "--format", "json").out)["jobs"]
    assert len(listed) == 2
    for job in listed:
        assert run("jobs", "get", job["id"]).code == 0
    stage.spec("another", requests=4)
    stage.lines("specs/data/another.jsonl", 4, text=PROMPT)
    for fault in FAILURES:
        stage.faults[:] = [Fault(**fault)]  # type: ignore[arg-type]
        failed = run("apply", "--yes", "--max-cancels", "0", "--format", "json")
        assert stage.faults[0].times < 99, fault
        assert failed.err
    stage.faults.clear()
    assert run("jobs", "cancel", listed[0]["id"], "--yes").code == 0
    assert run("jobs", "get", "no-such-job").code == 64
    assert run("doctor").code == 0
    assert run("ledger", "show").code == 0
    (stage.root / "specs/inline.yaml").unlink()
    assert run("plan").code == 0


def echo(status: int, body: bytes, **more: object) -> dict[str, object]:
    return {"method": "GET", "path": JOBS, "what": status, "body": body, "times": 99, **more}


FAILURES: tuple[dict[str, object], ...] = (
    echo(401, b'{"detail":"Unauthorized: Bearer ' + KEY.encode() + b'"}'),
    echo(403, b"<html><title>" + KEY.encode() + b"</title>"),
    echo(422, b'{"detail":[{"loc":["header","' + KEY.encode() + b'"],"msg":"' + KEY.encode() + b'"}]}'),
    echo(404, b"Sk-Very-\x00Distinctive-\x1b0123456789-Key", headers={"Content-Type": "text/plain"}),
    echo(302, b"", headers={"Location": f"https://elsewhere.example/{KEY}"}),
    echo(502, b"<html>" + KEY.encode() + b"</html>"),
    echo(200, b'{"total": "' + KEY.encode() + b'"}'),
    echo(200, b"{" + KEY.encode()),
    {"method": "GET", "path": JOBS, "what": "timeout", "times": 99},
    {"method": "POST", "path": JOBS, "what": 422, "times": 1, "body": b'{"message":"' + KEY.encode() + b'"}'},
    {"method": "POST", "path": JOBS, "what": 200, "times": 1, "body": b'{"id":"' + KEY.encode() + b'"}'},
    {"method": "POST", "path": "/v1/files", "what": 413, "times": 1, "body": KEY.encode()},
)
"""What a server may answer: each repeats the key, as some do."""


def from_the_environment(listener: Listener) -> None:
    listener.stage.environ["MISTRAL_API_KEY"] = KEY


def from_a_file(listener: Listener) -> None:
    folder = listener.stage.root / "specs"  # the one folder that is not searched
    (folder / ".key").write_text(f"{KEY}\n", encoding="utf-8")
    listener.options = (*listener.options, "--api-key-file", "specs/.key")


@pytest.mark.parametrize("source", [from_the_environment, from_a_file])
def test_key_is_in_no_output_and_no_file(
    listener: Listener, source: Callable[[Listener], None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source(listener)
    play(listener)
    assert listener.finds(KEY) == []
    assert listener.finds(KEY[4:-4]) == []
    workspaces = list(tmp_path_factory.getbasetemp().glob("served*/sandbox.db*"))
    assert workspaces
    assert not any(KEY.encode() in path.read_bytes() for path in workspaces)


def test_prompts_and_contents_stand_in_nothing_that_is_said_or_written(listener: Listener) -> None:
    from_the_environment(listener)
    play(listener)
    assert listener.finds(PROMPT) == []
    assert any(PROMPT.encode() in sent.body for result in listener.heard for sent in result.sent)


@pytest.mark.parametrize(
    "line",
    [
        f'{{"custom_id": "a", "body": {{"text": "{PROMPT}"}}',
        f'{{"custom_id": "a", "body": "{PROMPT}"}}',
        f'{{"custom_id": "", "body": {{"text": "{PROMPT}"}}}}',
        f'{{"body": {{"text": "{PROMPT}"}}}}',
        f'"{PROMPT}"',
        PROMPT,
        f'{{"custom_id": "a", "body": {{}}}} {PROMPT}',
    ],
)
def test_mistakes_in_input_files_do_not_repeat_what_a_line_says(listener: Listener, line: str) -> None:
    listener.stage.write("specs/data/from-a-file.jsonl", line + "\n")
    assert listener.run("validate").code == 1
    assert listener.run("validate", "--format", "json").code == 1
    assert "specs/data/from-a-file.jsonl:1" in listener.heard[-2].err
    assert listener.finds(PROMPT) == []


@pytest.mark.parametrize(
    "requests",
    [
        f'[{{custom_id: "", body: {{text: "{PROMPT}"}}}}]',
        f'[{{custom_id: a, body: "{PROMPT}"}}]',
        f'[{{custom_id: a, body: {{}}, more: "{PROMPT}"}}]',
    ],
)
def test_mistakes_in_inline_requests_do_not_repeat_them(listener: Listener, requests: str) -> None:
    listener.stage.write(
        "specs/inline.yaml",
        f"name: inline\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\nrequests: {requests}\n",
    )
    assert listener.run("validate").code == 1
    assert listener.run("validate", "--format", "json").code == 1
    assert listener.finds(PROMPT) == []


@pytest.mark.parametrize("key", ["", " ", "two words", "two\nlines", "Bearer x", "ünïcode-key-0123456"])
def test_key_that_is_none_is_not_repeated_either(listener: Listener, key: str) -> None:
    listener.stage.environ["MISTRAL_API_KEY"] = key
    result = listener.run("plan")
    assert (result.code, result.sent) == (1, [])
    assert "error: MISTRAL_API_KEY " in result.err
    assert not key.strip() or key not in result.err


def test_sandbox_works_without_the_real_key(stage: Stage) -> None:
    listener = Listener(stage)
    stage.spec("one")
    stage.environ["MISTRAL_API_KEY"] = KEY
    assert listener.run("apply", "--yes").code == 0
    assert listener.finds(KEY) == []
    del stage.environ["MISTRAL_API_KEY"]
    assert listener.run("apply", "--yes").out.startswith("No changes.")  # the same workspace


def environment(url: str, root: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "PYTHONPATH") if name in os.environ}
    return {**kept, "MISTRAL_BASE_URL": url, "HOME": str(root), "GIT_CONFIG_GLOBAL": os.devnull}


@POSIX
def test_key_through_a_pipe_is_in_no_argument_and_no_environment(stage: Stage, served: str) -> None:
    stage.spec("one", requests=500)
    fifo = stage.root / "key"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "reconciler", "apply", "--yes", "--api-key-file", "key"]
    process = subprocess.Popen(
        command,
        cwd=stage.root,
        env=environment(served, stage.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with fifo.open("w") as pipe:  # the process is up and waits for the key
        seen = [
            Path(f"/proc/{process.pid}/{what}").read_bytes() if sys.platform == "linux" else b""
            for what in ("cmdline", "environ")
        ]
        pipe.write(KEY)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"1 created" in out
    for data in (*seen, out, err):
        assert KEY.encode() not in data


def test_key_goes_to_the_configured_host_alone(listener: Listener) -> None:
    from_the_environment(listener)
    where = "https://elsewhere.example/v1/batch/jobs"
    listener.stage.faults.append(Fault("GET", JOBS, 307, headers={"Location": where}, times=99))
    result = listener.run("plan")
    assert result.code == 1
    assert "a redirect to elsewhere.example, not followed" in result.err
    assert {sent.path for sent in result.sent} == {JOBS}

"""A stage for scenarios: a project folder, the real command line, the embedded sandbox, a virtual clock, faults.

Nothing of ours is patched. The environment is another value: its clock moves only when a test moves it, its randomness
is seeded, and its transport records every request and may lose, delay or refuse some.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import unquote

import httpx
import pytest

from reconciler.cli.main import run
from reconciler.environment import Environment
from tests.helpers.event_check import check_event
from tests.helpers.events import check_lines

_T = TypeVar("_T")
_R = TypeVar("_R")

HI: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
"""The body of a chat request."""
UNSTEADY = "".join(f"{json.dumps({'custom_id': name, 'body': HI})}\n" for name in ("a", "b!fail"))
"""Two requests, of which the sandbox lets one fail."""
START = 1_790_000_000.0
"""The virtual clock's first reading."""


@dataclass
class Fault:
    """What happens to requests that match.

    `before`: the request fails before the sandbox handles it. `after`: it takes effect, and its answer is lost.
    """

    method: str
    path: str
    """A regular expression that the path must match whole."""
    what: int | Literal["reset", "timeout", "refused"]
    when: Literal["before", "after"] = "before"
    times: int = 1
    skip: int = 0
    """So many matching requests go well first."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"<html>Bad gateway</html>"
    alter: Callable[[Any], Any] | None = None
    """Changes the JSON that the handler answers, with the status `what`."""


@dataclass
class Sent:
    """One request and its answer."""

    method: str
    path: str
    query: str
    body: bytes
    status: int | str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        query = f"?{unquote(self.query)}" if self.query else ""
        return f"{self.method} {self.path}{query} -> {self.status}"


def read_whole(response: httpx.Response) -> httpx.Response:
    """Return the same answer with its whole body, which a client can read once more."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.read())


class Wire(httpx.BaseTransport):
    """Records what passes and plays the faults."""

    def __init__(self, inner: httpx.BaseTransport, faults: list[Fault], sent: list[Sent]) -> None:
        self._inner = inner
        self._faults = faults
        self._sent = sent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        url, headers = request.url, dict(request.headers)
        record = Sent(request.method, url.path, url.query.decode(), request.content, "lost", headers)
        self._sent.append(record)
        fault = self._fault(request)
        if fault is None or fault.alter:
            response = self._inner.handle_request(request)
            response = read_whole(response)
            record.status = response.status_code
            if fault and fault.alter:
                return httpx.Response(
                    response.status_code, json=fault.alter(response.json()), request=request
                )
            return response
        if fault.when == "after":
            self._inner.handle_request(request).read()
        record.status = f"{fault.what} {fault.when} the handler"
        match fault.what:
            case "reset":
                raise httpx.ReadError("connection reset by peer", request=request)
            case "timeout":
                raise httpx.ReadTimeout("timed out", request=request)
            case "refused":
                raise httpx.ConnectError("connection refused", request=request)
            case status:
                return httpx.Response(status, content=fault.body, headers=fault.headers, request=request)

    def _fault(self, request: httpx.Request) -> Fault | None:
        for fault in self._faults:
            if request.method == fault.method and re.fullmatch(fault.path, request.url.path) and fault.times:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def close(self) -> None:
        self._inner.close()


def in_turn(do: Callable[[_T], _R], items: Sequence[_T], *, max_workers: int) -> list[_R]:
    """Run one after the other, so that transcripts are the same each time."""
    assert max_workers > 0
    return [do(item) for item in items]


@dataclass
class Result:
    """What a command did."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str
    sent: list[Sent]

    @property
    def writes(self) -> list[Sent]:
        """The requests that are no reads."""
        return [sent for sent in self.sent if sent.method != "GET"]

    @property
    def events(self) -> list[dict[str, object]]:
        """The events on stderr."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def transcript(self) -> str:
        """Return command, output, requests and exit code, for a golden file."""
        parts = [f"$ reconciler {' '.join(self.argv)}\n", self.out]
        errors = [line for line in self.err.splitlines(keepends=True) if not line.startswith("{")]
        parts += [f"[stderr] {line}" for line in errors]
        for sent in self.sent:
            parts.append(f"[request] {sent}\n")
            if sent.body and sent.path == "/v1/batch/jobs":
                body = json.dumps(json.loads(sent.body), indent=1, ensure_ascii=False)
                parts.append(textwrap.indent(body, "    ") + "\n")
        return "".join([*parts, f"[exit] {self.code}\n"])


class Stage:
    """One project folder and one workspace."""

    forgetful: ClassVar[bool] = False
    """Whether the ledger is deleted after every command."""
    _prepared: ClassVar[dict[Callable[[Stage], None], tuple[Path, float, int, Any]]] = {}

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys
        self.clock = START
        self.faults: list[Fault] = []
        self.random = random.Random(7)
        self.environ: dict[str, str] = {
            "USER": "ada",
            "RECONCILER_SANDBOX": "1",
            "RECONCILER_LOG_LEVEL": "info",
        }
        self._ids = 0
        self.write("reconciler.yaml", "project: shop\n")

    def write(self, path: str, text: str) -> Path:
        """Write a file below the root, with the folders it needs."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(textwrap.dedent(text).encode())
        return file

    def lines(self, path: str, count: int, text: str = "hello") -> Path:
        """Write an input file of `count` chat requests."""
        said = json.dumps(text)[:-1]
        rows = (
            f'{{"custom_id": "r{number}", "body": {{"messages": [{{"role": "user", "content": {said} {number}"}}]}}}}\n'
            for number in range(count)
        )
        return self.write(path, "".join(rows))

    def passages(self, path: str, count: int, text: str = "text") -> Path:
        """Write an input file of `count` texts to embed."""
        rows = [
            {"custom_id": f"r{number}", "body": {"input": [f"{text} {number}"]}} for number in range(count)
        ]
        return self.write(path, "".join(json.dumps(row) + "\n" for row in rows))

    def spec(self, name: str, *, file: str = "", requests: int = 3, **fields: object) -> Path:
        """Write a spec with an input file of its own."""
        self.lines(f"specs/data/{name}.jsonl", requests, text=name)
        body = {
            "name": name,
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-latest",
            "input_files": [f"data/{name}.jsonl"],
            **fields,
        }
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in body.items() if value is not None)
        return self.write(f"specs/{file or name}.yaml", text)

    def prepare(self, build: Callable[[Stage], None]) -> None:
        """Bring a new stage to where `build` brings it. That runs once; the next stages get copies of its files."""
        if build not in self._prepared:
            build(self)
            kept = Path(tempfile.mkdtemp(dir=self.root.parent))
            shutil.copytree(self.root, kept, symlinks=True, dirs_exist_ok=True)
            self._prepared[build] = (kept, self.clock, self._ids, self.random.getstate())
            return
        kept, self.clock, self._ids, state = self._prepared[build]
        self.random.setstate(state)
        shutil.copytree(kept, self.root, symlinks=True, dirs_exist_ok=True)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock += seconds

    def sleep(self, seconds: float) -> None:
        """Sleep in virtual time."""
        self.clock += max(0.0, seconds)

    def uuid(self) -> str:
        """Name something, in order."""
        self._ids += 1
        return f"{self._ids:08x}-0000-4000-8000-000000000000"

    def world(self, sent: list[Sent]) -> Environment:
        """Return what commands take from the process."""
        return Environment(
            environ=self.environ,
            cwd=self.root,
            now=lambda: self.clock,
            monotonic=lambda: self.clock,
            sleep=self.sleep,
            random=self.random,
            map_concurrently=in_turn,
            run_in_background=lambda do: do,
            wrap_transport=lambda inner: Wire(inner, self.faults, sent),
            uuid=self.uuid,
            check_event=check_event,
        )

    def run(self, *argv: str, env: Callable[[Environment], Environment] = lambda env: env) -> Result:
        """Run one command."""
        sent: list[Sent] = []
        self.capsys.readouterr()
        code = run(argv, env(self.world(sent)))
        out, err = self.capsys.readouterr()
        check_lines("\n".join(line for line in err.splitlines() if line.startswith("{")))
        if self.forgetful:
            self.forget()
        return Result(argv, code, out, err, sent)

    @contextmanager
    def console(self) -> Iterator[httpx.Client]:
        """Yield a client of the same workspace, for what people do without this tool."""
        from reconciler.sandbox import BUILT_IN_KEY
        from reconciler.sandbox.app import make_app
        from reconciler.sandbox.store import Store

        database = self.root / ".reconciler/sandbox/sandbox.db"
        database.parent.mkdir(parents=True, exist_ok=True)
        with Store(database) as store:
            transport = httpx.WSGITransport(make_app(store, now=lambda: self.clock, ids=self.uuid))
            headers = {"Authorization": f"Bearer {BUILT_IN_KEY}"}
            with httpx.Client(transport=transport, base_url="http://localhost", headers=headers) as client:
                yield client

    def cancel_in_console(self, job_id: str) -> None:
        """Cancel a job as a person does in the console, without a line in the ledger."""
        with self.console() as client:
            client.post(f"/v1/batch/jobs/{job_id}/cancel").raise_for_status()

    def git(self, *argv: str) -> str:
        """Run git in the project, without the user's configuration and with fixed dates."""
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in WHO.items()},
        }
        command = ["git", "-c", "maintenance.auto=false", *argv]
        done = subprocess.run(command, cwd=self.root, env=environ, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything and return the commit."""
        if not (self.root / ".git").exists():
            self.git("init", "--quiet", "--template=", "--initial-branch=main")
            self.write(".git/info/exclude", ".reconciler/\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def jobs(self) -> list[dict[str, Any]]:
        """Return what the workspace holds, everybody's jobs."""
        listed = json.loads(self.run("jobs", "list", "--all", "--format", "json").out)
        found: list[dict[str, Any]] = listed["jobs"]
        return found

    def live(self) -> list[str]:
        """Return the names of the jobs that are queued or running."""
        return sorted(str(job["name"]) for job in self.jobs() if job["status"] in ("QUEUED", "RUNNING"))

    def forget(self) -> None:
        """Delete the ledger."""
        for ledger in (self.root / ".reconciler").rglob("ledger.jsonl"):
            ledger.unlink()


WHO = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": "2026-11-22T12:00:00+0000"}

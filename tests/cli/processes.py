"""The tool as real processes, against the sandbox behind a gate that counts, delays and loses requests."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from tests.helpers.events import check_lines

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = Path(__file__).parents[2]
KEY = "a-key-for-the-tests"
JOBS = "/v1/batch/jobs"
CREATE = f"POST {JOBS}"
UPLOAD = "POST /v1/files"
LIST = f"GET {JOBS}"
ANY = "any call"
ENDED = "any call that has had its effect"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo-terminals of POSIX")
PATIENCE = 30.0


class Gate:
    """A WSGI application before the sandbox: counts the calls, and holds or loses the calls that a test names."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._turn = threading.Condition()
        self._came: Counter[str] = Counter()
        self._closed_for: dict[str, int] = {}
        self._lost: dict[str, range] = {}
        self._whole = {CREATE}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if call in self._whole:  # it has come when all of it is here
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        with self._turn:
            self._came[call] += 1
            self._came[ANY] += 1
            number, of_all = self._came[call], self._came[ANY]
            self._turn.notify_all()
            assert self._turn.wait_for(
                lambda: (
                    number <= self._closed_for.get(call, number)
                    and of_all <= self._closed_for.get(ANY, of_all)
                ),
                PATIENCE,
            )
            lost = number in self._lost.get(call, ()) or of_all in self._lost.get(ANY, ())
        try:
            if lost:
                start_response("503 Service Unavailable", [("Content-Length", "0")])
                return [b""]
            return self._app(environ, start_response)
        finally:
            with self._turn:
                self._came[ENDED] += 1
                self._turn.notify_all()

    def close(self, call: str, after: int = 0, *, whole: bool = False) -> None:
        """Let only the first so many of these calls in, until it is opened; `whole`: take all of what is sent."""
        with self._turn:
            self._closed_for[call] = after
            if whole:
                self._whole.add(call)

    def count(self) -> int:
        """Return how many calls have come, once all of them have had their effect."""
        with self._turn:
            assert self._turn.wait_for(lambda: self._came[ENDED] == self._came[ANY], PATIENCE)
            return self._came[ANY]

    def open(self) -> None:
        """Let everything in."""
        with self._turn:
            self._closed_for.clear()
            self._turn.notify_all()

    def lose(self, call: str) -> None:
        """Never let those in that wait."""
        with self._turn:
            self._lost[call] = range(self._closed_for[call] + 1, self._came[call] + 1)

    def wait_for(self, call: str, count: int) -> None:
        """Wait until so many of these calls have come."""
        with self._turn:
            assert self._turn.wait_for(lambda: self._came[call] >= count, PATIENCE), self._came


class Shop:
    """A project folder whose commands are processes, and its workspace."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        names = ("PATH", "PYTHONPATH", "SYSTEMROOT")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        self.environ = {
            **kept,
            "PYTHONPATH": str(ROOT),  # this checkout's code, whatever is installed
            "MISTRAL_API_KEY": KEY,
            "MISTRAL_BASE_URL": url,
            "RECONCILER_LOG_LEVEL": "info",
            "USER": "ada",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        self.settle(1)

    def settle(self, seconds: int, *, in_flight: int = 2) -> None:
        """Say how long a lost create may still come true."""
        limits = f"{{settle_seconds: {seconds}, in_flight: {in_flight}}}"
        self.write("reconciler.yaml", f"project: shop\nlimits: {limits}\n")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def specs(self, count: int, requests: int = 4) -> list[str]:
        """Declare so many jobs that run for as long as any machine needs; return their names."""
        names = [f"job-{number}" for number in range(count)]
        for name in names:
            line = '{"custom_id": "%d", "body": {"input": "%s"}}\n'
            self.write(f"specs/{name}.jsonl", "".join(line % (number, name) for number in range(requests)))
            fields = "endpoint: /v1/embeddings\nmodel: sandbox-stuck\n"
            self.write(f"specs/{name}.yaml", f"name: {name}\n{fields}input_files: [{name}.jsonl]\n")
        return names

    def start(self, *argv: str, **options: object) -> subprocess.Popen[bytes]:
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, "-m", "reconciler", *argv]
        return subprocess.Popen(command, cwd=self.root, env=self.environ, **given)  # type: ignore[call-overload,no-any-return]

    def run(self, *argv: str, **options: object) -> Done:
        return finish(self.start(*argv, **options))

    def jobs(self) -> list[dict[str, str]]:
        """Return every job of the workspace, as another client sees them."""
        headers = {"Authorization": f"Bearer {KEY}"}
        listed = httpx.get(f"{self.url}{JOBS}", headers=headers, params={"page_size": 1000}).json()
        return [
            {"name": job["metadata"]["reconciler.name"], "status": job["status"], "id": job["id"]}
            for job in listed.get("data", [])
        ]

    def uploads(self) -> list[str]:
        """Return the ids of all input files in the workspace."""
        headers = {"Authorization": f"Bearer {KEY}"}
        listed = httpx.get(f"{self.url}/v1/files", headers=headers, params={"source": "upload"}).json()
        return [file["id"] for file in listed["data"]]

    def live(self) -> list[str]:
        return sorted(job["name"] for job in self.jobs() if job["status"] in ("QUEUED", "RUNNING"))


class Done:
    """A process that has ended."""

    def __init__(self, process: subprocess.Popen[bytes], out: bytes, err: bytes) -> None:
        self.code = process.returncode
        self.out = out.decode()
        self.err = err.decode()
        assert "Traceback" not in self.err, self.err
        check_lines("\n".join(line for line in self.err.splitlines() if line.startswith("{")))


def finish(process: subprocess.Popen[bytes]) -> Done:
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process, out or b"", err or b"")


@contextmanager
def gated(folder: Path, *, speed: float = 1.0) -> Iterator[tuple[Gate, str]]:
    with Store(folder / "workspace.db") as store:
        gate = Gate(make_app(store, now=time.time, speed=speed))
        server = Server(gate, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield gate, server.url
        finally:
            gate.open()
            server.shutdown()
            thread.join()

"""The jobs on the server after answers to creates were lost: this tool compared with the official SDK.

    python benchmarks/lost_answers.py

The goal is ten jobs. The server is the sandbox over HTTP behind a proxy with one fault for every third create: accept
and answer 502; refuse with 429 and `Retry-After`; accept and drop the connection. The SDK runs twice: with its default
settings, and with its own retries. A create that raised is then sent once more, as a person would do.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from mistralai.client import Mistral
from mistralai.client.models import BatchRequestTypedDict
from mistralai.client.utils import BackoffStrategy, RetryConfig

from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store

WANTED: Final = 10
EVERY: Final = 3
CREATE: Final = "/v1/batch/jobs"
KEY: Final = "a-key-for-the-benchmark"


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on, and plays the fault."""

    protocol_version = "HTTP/1.1"
    upstream: str
    fault: str
    creates: int

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Pass a read on."""
        self._pass_on()

    def do_POST(self) -> None:
        """Pass a write on, or play the fault."""
        kind = type(self)
        unlucky = False
        if self.path == CREATE:
            kind.creates += 1
            unlucky = kind.creates % EVERY == 1
        if unlucky and kind.fault == "429":
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(429, b'{"message":"Requests rate limit exceeded"}', {"Retry-After": "1"})
        else:
            self._pass_on(kind.fault if unlucky else "")

    def _pass_on(self, fault: str = "") -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(type(self).upstream)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        if fault == "502":
            self._answer(502, b"<html>Bad gateway</html>", {})
        elif fault == "dropped":
            self.close_connection = True
        else:
            self._answer(answer.status, data, {"Content-Type": "application/json"})

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def server(fault: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Serve the sandbox and the proxy before it; yield both addresses."""
    with Store(folder / "sandbox.db") as store:
        sandbox = Server(make_app(store, now=time.time), "127.0.0.1", 0)
        upstream = sandbox.url.partition("://")[2]
        handler = type("Handler", (Proxy,), {"upstream": upstream, "fault": fault, "creates": 0})
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threads = [threading.Thread(target=it.serve_forever, daemon=True) for it in (sandbox, proxy)]
        for thread in threads:
            thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", upstream
        finally:
            proxy.shutdown()
            proxy.server_close()
            sandbox.shutdown()


def with_reconciler(url: str, folder: Path) -> str:
    """Declare the jobs and apply, twice."""
    (folder / "specs").mkdir()
    (folder / "reconciler.yaml").write_text("project: benchmark\nlimits: {settle_seconds: 2}\n")
    for number in range(WANTED):
        spec = {
            "name": f"job-{number}",
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-latest",
            "requests": [request(number)],
        }
        (folder / f"specs/job-{number}.yaml").write_text(json.dumps(spec))
    environ = {**os.environ, "MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": url}
    command = [sys.executable, "-m", "reconciler", "apply", "--yes"]
    codes = [
        subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False).returncode
        for _ in range(2)
    ]
    return f"exit {codes[0]}, then {codes[1]}"


def with_sdk(url: str, *, retries: bool) -> str:
    """Create the jobs as the SDK's documentation shows, and then once more those that raised."""
    backoff = RetryConfig("backoff", BackoffStrategy(100, 1000, 1.5, 20_000), retry_connection_errors=True)
    missing, errors = list(range(WANTED)), []
    for _ in range(2):
        with Mistral(
            api_key=KEY, server_url=url, timeout_ms=5000, retry_config=backoff if retries else None
        ) as client:
            missing = [number for number in missing if not created(client, number)]
            errors.append(len(missing))
    return f"{errors[0]} errors, then {errors[1]}"


def created(client: Mistral, number: int) -> bool:
    """Create one job; return False if the SDK raised."""
    try:
        client.batch.jobs.create(
            endpoint="/v1/chat/completions",
            model="mistral-small-latest",
            requests=[request(number)],
            metadata={"name": f"job-{number}"},
        )
    except Exception:  # noqa: BLE001  as a script would
        return False
    return True


def request(number: int) -> BatchRequestTypedDict:
    """Return one inline request."""
    return {
        "custom_id": f"r{number}",
        "body": {"messages": [{"role": "user", "content": f"question {number}"}]},
    }


def on_server(upstream: str) -> int:
    """Count the jobs."""
    connection = http.client.HTTPConnection(upstream)
    connection.request("GET", f"{CREATE}?page_size=1", headers={"Authorization": f"Bearer {KEY}"})
    total = json.loads(connection.getresponse().read())["total"]
    connection.close()
    return int(total)


def main() -> None:
    """Print the table."""
    clients: dict[str, Callable[[str, Path], str]] = {
        "reconciler apply": with_reconciler,
        "SDK with retries": lambda url, _: with_sdk(url, retries=True),
        "SDK as it comes": lambda url, _: with_sdk(url, retries=False),
    }
    print(
        f"{WANTED} jobs wanted; {platform.python_implementation()} {platform.python_version()}, {platform.system()}"
    )
    print(f"{'every third create':<34}{'client':<20}{'jobs on the server':<20}how it ended")
    faults = {
        "502": "accepted, answered 502",
        "429": "429 with Retry-After",
        "dropped": "accepted, connection dropped",
    }
    for fault, description in faults.items():
        for client, run in clients.items():
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                with server(fault, folder) as (url, upstream):
                    ended = run(url, folder)
                    print(f"{description:<34}{client:<20}{on_server(upstream):<20}{ended}", flush=True)


if __name__ == "__main__":
    main()

"""A project of many specs and the workspace that holds their jobs, for benchmarks to plan on.

The workspace is a process of its own. It answers the list from prepared bytes, each page after a fixed time, so that
the benchmark measures only the reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from reconciler.model import JobSpec, Source, tags
from reconciler.specs.load import load
from reconciler.specs.project import load_project

NOW: Final = 1_790_000_000
LENGTH: Final = re.compile(r"\r\nContent-Length: (\d+)", re.IGNORECASE)
SHOWN: Final = {
    "object": "batch",
    "agent_id": None,
    "output_file": None,
    "error_file": None,
    "errors": [],
    "outputs": None,
    "status": "QUEUED",
    "created_at": NOW,
    "total_requests": 0,
    "completed_requests": 0,
    "succeeded_requests": 0,
    "failed_requests": 0,
}
"""What every job shows."""
SPEC: Final = """\
# yaml-language-server: $schema=../schemas/job.schema.json
# Sorts the tickets of day {day} into classes, for the weekly report.
name: tickets-{day:06}
endpoint: /v1/chat/completions
model: mistral-small-latest
input_files:
  - {file}
metadata:
  team: search
  cost_centre: "4711"
  purpose: classes of tickets, day {day}
timeout_hours: 24
retry:
  max_attempts: 3
  on: [FAILED, TIMEOUT_EXCEEDED]
on_change: replace
on_remove: cancel
checks:
  failed: 0.01
"""


def project(root: Path, specs: int) -> Path:
    """Write a project of so many specs, one a file."""
    dice = random.Random(specs)  # noqa: S311 - the same ids each time
    (root / "specs").mkdir(parents=True)
    (root / "reconciler.yaml").write_text("project: bench\nlimits: {reads_in_flight: 16}\n")
    for day in range(specs):
        file = uuid.UUID(int=dice.getrandbits(128), version=4)
        (root / f"specs/{day:06}.yaml").write_text(SPEC.format(day=day, file=file))
    return root


def declared(root: Path) -> tuple[JobSpec, ...]:
    """Read a project's specs."""
    return load(load_project(None, start=root), now=NOW).specs


def row(spec: JobSpec, number: int, *, name: str = "") -> dict[str, object]:
    """Return the job that `spec` has created, as the API shows it."""
    ours = tags.tags_of(spec, project="bench", attempt=1, op=f"{number:024x}", source=Source(actor="ada"))
    written = tags.write(ours)
    if name:
        written = {**written, tags.NAME: name, tags.WORK: f"v1:{number:064x}"}
    return {
        **SHOWN,
        "id": str(uuid.UUID(int=number, version=4)),
        "input_files": [file.id for file in spec.inputs if hasattr(file, "id")],
        "metadata": {**spec.metadata, **written},
        "endpoint": spec.endpoint,
        "model": spec.model,
        "output_file": str(uuid.UUID(int=number + 1, version=4)),
        "status": "SUCCESS",
        "created_at": NOW - 1_000_000 + number,
        "started_at": NOW - 900_000,
        "completed_at": NOW - 800_000,
        "total_requests": 1000,
        "completed_requests": 1000,
        "succeeded_requests": 1000,
        "failed_requests": 0,
    }


@contextlib.contextmanager
def serving(rows: Sequence[dict[str, object]], folder: Path, *, delay: float = 0.0) -> Iterator[str]:
    """Serve jobs from a process of its own, each answer after `delay` seconds; yield its URL."""
    file = folder / "rows.json"
    file.write_text(json.dumps(rows))
    server = subprocess.Popen(
        [sys.executable, __file__, str(file), str(delay)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        port = server.stdout.readline().strip() if server.stdout else ""
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.communicate()


class Workspace:
    """The jobs that there are, and the bytes of each page that was asked for."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        self.rows = rows
        self.pages: dict[str, bytes] = {}

    def answer(self, method: str, path: str, query: str, body: bytes) -> bytes:
        """Answer a request: the list, a create, an upload, or nothing in particular."""
        if method == "POST" and path == "/v1/batch/jobs":
            self.pages.clear()
            made = {**SHOWN, **json.loads(body), "id": str(uuid.uuid4()), "created_at": int(time.time())}
            self.rows.append(made)
            return json.dumps(made).encode()
        if method == "POST":
            file = {"id": str(uuid.uuid4()), "filename": "a.jsonl", "created_at": NOW, "bytes": len(body)}
            kind = {"object": "file", "purpose": "batch", "sample_type": "batch_request", "source": "upload"}
            return json.dumps({**file, **kind}).encode()
        if path != "/v1/batch/jobs":
            return b'{"object": "list", "data": [], "total": 0}'
        if query not in self.pages:
            self.pages[query] = self._page(query)
        return self.pages[query]

    def _page(self, query: str) -> bytes:
        asked = {key: int(value[0]) for key, value in parse_qs(query).items() if value[0].isdigit()}
        size = asked.get("page_size", 100)
        first = asked.get("page", 0) * size
        found = self.rows[first : first + size]
        return json.dumps({"object": "list", "data": found, "total": len(self.rows)}).encode()


async def serve(rows: list[dict[str, object]], delay: float) -> None:
    """Answer until killed."""
    workspace = Workspace(rows)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split("\r\n", 1)[0].split(" ")
                length = LENGTH.search(head)
                sent = await reader.readexactly(int(length[1])) if length else b""
                await asyncio.sleep(delay)
                url = urlsplit(target)
                body = workspace.answer(method, url.path, url.query, sent)
                ends = f"Content-Length: {len(body)}\r\n\r\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + ends + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text()), float(sys.argv[2])))

"""A project of many specs and the workspace that holds their jobs, for benchmarks to plan on.

The workspace is a process of its own that answers the list from bytes made beforehand, each page after a fixed time, so
that what is measured is the reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from reconciler import tags
from reconciler.model import JobSpec, Source
from reconciler.specs.load import load
from reconciler.specs.project import load_project

NOW: Final = 1_790_000_000
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
max_failed: 0.01
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
    """Return the job that `spec` has bought, as the API shows it."""
    ours = tags.tags_of(spec, project="bench", attempt=1, op=f"{number:024x}", source=Source(actor="ada"))
    written = tags.write(ours)
    if name:
        written = {**written, tags.NAME: name, tags.WORK: f"v1:{number:064x}"}
    return {
        "id": str(uuid.UUID(int=number, version=4)),
        "object": "batch",
        "input_files": [file.id for file in spec.inputs if hasattr(file, "id")],
        "metadata": {**spec.metadata, **written},
        "endpoint": spec.endpoint,
        "model": spec.model,
        "agent_id": None,
        "output_file": str(uuid.UUID(int=number + 1, version=4)),
        "error_file": None,
        "errors": [],
        "outputs": None,
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


async def serve(rows: Sequence[dict[str, object]], delay: float) -> None:
    """Answer the list, until killed."""
    pages: dict[str, bytes] = {}

    def listed(query: str) -> bytes:
        if query not in pages:
            asked = {key: int(value[0]) for key, value in parse_qs(query).items() if value[0].isdigit()}
            size = asked.get("page_size", 100)
            first = asked.get("page", 0) * size
            body = {"object": "list", "data": rows[first : first + size], "total": len(rows)}
            pages[query] = json.dumps(body, separators=(",", ":")).encode()
        return pages[query]

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                _, target, _ = head.split("\r\n", 1)[0].split(" ")
                body = listed(urlsplit(target).query)
                await asyncio.sleep(delay)
                length = f"Content-Length: {len(body)}\r\n\r\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text()), float(sys.argv[2])))

"""A ledger of 100,000 jobs in an object store: what it adds to an apply, `history verify`, memory.

    python benchmarks/object_ledger.py [JOBS]

The store is moto's S3 in a process of its own on this machine, so there is no network; each command is a process, and
the sandbox is served over HTTP. The history is that of 1,095 pushes, a year of a team. The targets are CPU seconds of
the command, because other work on the machine lengthens those on the wall. Ends with 1 if one is missed: 2 seconds more
for an apply than with the same lines in `ledger: local`, 10 seconds for `history verify`, 100 MB more than with
`ledger: local`.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import s3fs
from ledger import ENVIRON, rows, sandbox
from measure import Row, Spent, report, spent

from reconciler.ledger.objects import ObjectLedger
from reconciler.outputs.object_store import ObjectStore

JOBS: Final = next((int(word) for word in sys.argv[1:] if word.isdigit()), 100_000)
PUSHES: Final = 1_095
PLACE: Final = "s3://bucket/ledger"
SPEC: Final = """\
name: one
endpoint: /v1/chat/completions
model: mistral-small-latest
requests:
  - {custom_id: a, body: {messages: [{role: user, content: hi}]}}
"""


@contextmanager
def store() -> Iterator[None]:
    """Serve an empty bucket, and let the environment name it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                try:
                    bucket().mkdir("bucket")
                    break
                except OSError:
                    time.sleep(0.5)
            yield
        finally:
            server.terminate()


def bucket() -> Any:  # noqa: ANN401 - s3fs has no types
    """Return the file system."""
    return s3fs.S3FileSystem(skip_instance_cache=True)


def project(root: Path, place: str, number: int) -> Path:
    """Make a project with a job of its own."""
    (root / "specs").mkdir(parents=True)
    (root / "reconciler.yaml").write_text(f"project: bench\nledger: {place}\nlimits: {{settle_seconds: 0}}\n")
    (root / "specs/one.yaml").write_text(SPEC.replace("hi", f"hi {number}"))
    return root


def pushed(url: str, place: str, lines: Sequence[bytes], state: Path, pushes: int) -> list[float]:
    """Push lines as so many runs do; return the seconds of each push."""
    host = url.partition("://")[2].replace(":", "_")
    target = ObjectStore(f"{place}/{host}/bench", staging=state)
    ledger = ObjectLedger(store=target, state=state, rng=random.SystemRandom())
    tip, each, took = "", -(-len(lines) // pushes), []
    for at in range(0, len(lines), each):
        began = time.perf_counter()
        tip = ledger.push(tip, lines[at : at + each], message="bench")
        took.append(time.perf_counter() - began)
    return took


def main() -> int:
    """Print the times and the sizes."""
    with tempfile.TemporaryDirectory() as name, sandbox() as url, store():
        environ = {**ENVIRON, "MISTRAL_BASE_URL": url}

        def run(root: Path, *words: str, codes: Sequence[int] = (0, 6)) -> Spent:
            found = spent(
                [sys.executable, "-m", "reconciler", *words], cwd=root, environ=environ, codes=codes
            )
            what = f"{root.name:>10} {' '.join(words[:3]):<26}"
            print(f"{what} {found.wall:5.1f} s, {found.cpu:5.1f} CPU s, {found.rss:4.0f} MB")
            return found

        lines = rows(JOBS)
        took = pushed(url, PLACE, lines, Path(name, "writer"), PUSHES)
        names = bucket().find("bucket")
        size = sum(len(line) + 1 for line in lines) / 1e6
        print(
            f"{len(lines):,} lines, {size:.0f} MB, in {len(took):,} pushes of "
            f"{sorted(took)[len(took) // 2] * 1000:.0f} ms (median; the slowest {max(took):.1f} s), "
            f"{sum('/snapshots/' in it for it in names)} snapshots"
        )
        apply = ("apply", "--yes", "--allow-other-workspace")
        few = project(Path(name, "one-job"), f"{PLACE}-small", 1)
        for _ in range(2):
            run(few, *apply)
        local = project(Path(name, "local"), "local", 2)
        run(local, *apply)
        (file,) = (local / ".reconciler").rglob("ledger.jsonl")
        file.write_bytes(file.read_bytes() + b"".join(line + b"\n" for line in lines))
        (local / "specs/one.yaml").write_text(SPEC.replace("hi", "hi 3"))
        planned = run(local, "plan", "--allow-other-workspace", codes=(0, 2))
        beside = run(local, *apply)
        alone = run(local, "history", "verify")
        many = project(Path(name, "many-jobs"), PLACE, 4)
        first = run(many, "plan", "--allow-other-workspace", codes=(0, 2))
        apply_many = run(many, *apply)
        again = run(many, *apply)
        offline = run(many, "history", "verify", "--offline")
        whole = run(many, "history", "verify")
    print(f"history verify --offline, which contacts no store: {offline.cpu:.1f} CPU s")
    worst = max(first.rss - planned.rss, apply_many.rss - beside.rss, again.rss - planned.rss)
    more = whole.rss - alone.rss
    return report(
        [
            Row("an apply, CPU seconds more than with `ledger: local`", 2, apply_many.cpu - beside.cpu, ""),
            Row("history verify, CPU seconds", 10, whole.cpu, ""),
            Row("MB in plan and apply, more than with `ledger: local`", 100, worst, ""),
            Row("MB in verify, more than with `ledger: local`", 100, more, ""),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

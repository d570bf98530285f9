"""What a work of a million requests costs from its first plan to the plan after an edit, and one of several parts.

    python benchmarks/requests.py [--requests N] [--line-bytes N] [--per-job N] [--small]

The real command line against the sandbox, which another process serves over HTTP. Every command is its own process.
Targets: a plan after an edit of one line of 1,000,000 takes at most 15 CPU seconds and 300 MB, and checking the same
file alone is its floor.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import measure
from measure import Row, Spent, spent

RECONCILER = [sys.executable, "-m", "reconciler"]
SETTINGS = (
    "project: bench\nlimits: {{late_seconds: 0, requests_per_job: {}, max_workspace_pending: 9000000}}\n"
)
SPEC = """\
name: tickets
endpoint: /v1/chat/completions
model: mistral-small-latest
input_files: [data.jsonl]
reuse: true
retry: {max_attempts: 2}
"""
LINE = '{{"custom_id":"request-{:07}","body":{{"messages":[{{"role":"user","content":"{}"}}]}}}}\n'
MOST_CPU = 15.0
MOST_MB = 300.0


def write(root: Path, count: int, length: int, per_job: int) -> Path:
    """Write the project, and return its input file."""
    (root / "specs").mkdir(parents=True)
    (root / "reconciler.yaml").write_text(SETTINGS.format(per_job))
    (root / "specs/tickets.yaml").write_text(SPEC)
    text = "x" * max(0, length - len(LINE.format(0, "")))
    file = root / "specs/data.jsonl"
    with file.open("w") as target:
        target.writelines(LINE.format(number, text) for number in range(count))
    return file


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a sandbox whose jobs end at once, and yield its address."""
    command = [*RECONCILER, "sandbox", "serve", "--port", "0", "--speed", "1e9", "--db", str(folder / "db")]
    env = {**os.environ, "PYTHONPATH": str(measure.ROOT)}
    with (
        (folder / "served").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=env) as process,
    ):
        try:
            yield re.findall(r"http://[^ ]+", process.stdout.readline() if process.stdout else "")[0]
        finally:
            process.terminate()


def edit(file: Path, at: int) -> None:
    """Change one character of one line, without reading the file into memory."""
    with file.open("r+b") as target:
        length = len(target.readline())
        target.seek(at * length + length - 10)
        target.write(b"y")


def run(root: Path, url: str, *argv: str) -> Spent:
    """Run one command and print what it used."""
    environ = {"MISTRAL_API_KEY": "k"}
    found = spent(
        [*RECONCILER, *argv, "--log-level", "warning", "--base-url", url], cwd=root, environ=environ
    )
    shown = " ".join(argv)
    print(f"| {shown} | {found.wall:.1f} | {found.cpu:.1f} | {found.rss:,.0f} |", flush=True)
    return found


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--line-bytes", type=int, default=200)
    parser.add_argument("--per-job", type=int, default=1_000_000)
    parser.add_argument("--small", action="store_true", help="a hundredth of the requests")
    given = parser.parse_args()
    count, per_job = (it // (100 if given.small else 1) for it in (given.requests, given.per_job))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        file = write(root, count, given.line_bytes, per_job)
        print(f"{count:,} requests, {file.stat().st_size / 1e6:,.0f} MB, {per_job:,} a job\n")
        print("| command | seconds | CPU seconds | peak MB |\n|---|--:|--:|--:|")
        with served(Path(name)) as url:
            first = run(root, url, "plan")
            if per_job < count and f"submits {per_job:,} of {count:,} requests now" not in first.out:
                raise SystemExit(first.out)
            run(root, url, "apply", "--yes", "--wait")
            run(root, url, "outputs", "pull")
            run(root, url, "plan")
            edit(file, count // 2)
            after = run(root, url, "plan")
            if f"submits 1 of {count:,} requests, reuses {count - 1:,}" not in after.out:
                raise SystemExit(after.out)
            run(root, url, "apply", "--yes", "--wait")
            run(root, url, "outputs", "pull")
            with (root / "outputs/tickets/results.jsonl").open("rb") as results:
                if sum(b'"ok":true' in line for line in results) != count:
                    raise SystemExit("the results are not complete")
    print()
    return measure.report(
        [
            Row("plan after an edit, CPU / 15 s", 1.0, after.cpu / MOST_CPU, f"{after.cpu:.1f} s"),
            Row("plan after an edit, memory / 300 MB", 1.0, after.rss / MOST_MB, f"{after.rss:.0f} MB"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

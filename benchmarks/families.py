"""The plan without changes of one family of 3,000 jobs, compared with that of 3,000 plain specs.

    python benchmarks/families.py

Both declare the same work over the same files, in the sandbox. Time is that of reading specs and inputs, listing the
workspace, planning and writing the text, in this process; the best of several rounds, the two in turn.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from reconciler.cli.main import run

JOBS: Final = 300 if "--small" in sys.argv else int(sys.argv[1]) if len(sys.argv) > 1 else 3000
ROUNDS: Final = 5
MOST: Final = 1.3
"""So many times the plain specs' time a family may take."""

FIELDS: Final = "endpoint: /v1/embeddings\nmodel: mistral-embed\non_remove: keep\n"


def project(root: Path, *, family: bool) -> Path:
    """Write a project of so many jobs, as one spec or as one each."""
    data = root / "specs/data"
    data.mkdir(parents=True)
    (root / "reconciler.yaml").write_text("project: bench\n")
    for job in range(JOBS):
        name = f"{job:05}"
        (data / f"{name}.jsonl").write_text(f'{{"custom_id":"{name}","body":{{"input":"hello {name}"}}}}\n')
        if not family:
            spec = f"name: shard-{name}\n{FIELDS}input_files: [data/{name}.jsonl]\n"
            (root / f"specs/{name}.yaml").write_text(spec)
    if family:
        (root / "specs/all.yaml").write_text(
            f"name: shard-{{stem}}\n{FIELDS}for_each: {{files: [data/*.jsonl]}}\n"
        )
    return root


def told(root: Path, *argv: str) -> tuple[float, str]:
    """Run a command in a project, and return how long it took and what it said."""
    os.chdir(root)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    began = time.perf_counter()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = run([*argv, "--sandbox"])
    elapsed = time.perf_counter() - began
    out.flush()
    said = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    if code:
        raise SystemExit(said)
    return elapsed, said


def main() -> int:
    """Print the two times and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        plain = project(Path(folder, "plain"), family=False)
        family = project(Path(folder, "family"), family=True)
        for root in (plain, family):
            told(root, "apply", "--yes")
            if not told(root, "plan")[1].startswith("No changes."):
                raise SystemExit("the plan is no no-op")
        rounds = [(told(plain, "plan")[0], told(family, "plan")[0]) for _ in range(ROUNDS)]
        times = dict(zip((plain, family), map(min, zip(*rounds, strict=True)), strict=True))
    ratio = times[family] / times[plain]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {JOBS:,} jobs")
    print(f"plain specs  {times[plain]:6.2f} s")
    print(f"one family   {times[family]:6.2f} s")
    print(f"ratio        {ratio:6.2f}   (at most {MOST})")
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())

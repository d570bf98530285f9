"""A hundred jobs with a small file each, 50 ms an answer, ten at a time: this tool, a bare client, and peers.

python benchmarks/creates.py

The bare client sends the same requests in ten threads, from a process of its own as ours does, and does nothing
else: no specs, no plan, no ledger, no digests. The SDK's async form only uploads and creates.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import measure
import workspace
from bare import AT_ONCE, JOBS, MODEL, line
from measure import Row, spent
from mistralai.client import Mistral

DELAY = 0.05
TIMES = 3


def project(root: Path) -> Path:
    (root / "specs/data").mkdir(parents=True)
    (root / "reconciler.yaml").write_text(
        f"project: bench\nlimits: {{in_flight: {AT_ONCE}, reads_in_flight: 16, settle_seconds: 0}}\n"
    )
    for job in range(JOBS):
        (root / f"specs/data/{job}.jsonl").write_bytes(line(job))
        (root / f"specs/{job}.yaml").write_text(
            f"name: job-{job}\nendpoint: /v1/chat/completions\nmodel: {MODEL}\ninput_files: [data/{job}.jsonl]\n"
        )
    return root


def ours(root: Path, url: str) -> float:
    shutil.rmtree(root / ".reconciler", ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "reconciler",
        "apply",
        "--yes",
        "--log-level",
        "warning",
        "--base-url",
        url,
    ]
    found = spent(command, cwd=root, environ={"MISTRAL_API_KEY": "k"})
    if f"{JOBS} created" not in found.out:
        raise SystemExit(found.out)
    return found.wall


def bare(url: str) -> float:
    """Run the bare client as a process of its own, as ours is."""
    return spent([sys.executable, Path(__file__).with_name("bare.py"), url]).wall


def sdk(url: str) -> float:
    async def every() -> None:
        turn = asyncio.Semaphore(AT_ONCE)
        async with Mistral(api_key="k", server_url=url) as client:

            async def one(job: int) -> None:
                async with turn:
                    file = await client.files.upload_async(
                        file={"file_name": f"{job}.jsonl", "content": line(job)}, purpose="batch"
                    )
                    await client.batch.jobs.create_async(
                        input_files=[file.id], endpoint="/v1/chat/completions", model=MODEL
                    )

            await asyncio.gather(*map(one, range(JOBS)))

    began = time.perf_counter()
    asyncio.run(every())
    return time.perf_counter() - began


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        root = project(Path(folder, "p"))

        def fresh(what: object) -> float:
            with workspace.serving([], Path(folder), delay=DELAY) as url:
                return ours(root, url) if what is ours else what(url)  # type: ignore[operator,no-any-return]

        fresh(ours)
        us, client, they = measure.in_turn(
            TIMES, lambda: fresh(ours), lambda: fresh(bare), lambda: fresh(sdk)
        )
    return [
        Row(f"{JOBS} creates / a bare client", 1.25, us / client, f"{us:.2f} s / {client:.2f} s"),
        Row(f"{JOBS} creates / the SDK's async form", 1.0, us / they, f"{us:.2f} s / {they:.2f} s"),
    ]


if __name__ == "__main__":
    sys.exit(measure.report(rows()))

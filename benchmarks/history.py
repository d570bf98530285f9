"""A history of 100,000 jobs, read from the ledger alone: the table, filters, numbers.

    python benchmarks/history.py [JOBS]

Writes a ledger as the tool writes it (an intent, an outcome and an end a job, a cancel for one in fifty) and times
whole commands, each a process of its own, from its start to its end; the best of several rounds. Beside
the seconds on the wall stand those of the CPU, which other work on the machine lengthens less. Ends with 1 where the
table, the filters or the numbers take three seconds or longer.
"""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

from measure import Spent, best, spent
from msgspec.structs import replace

from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import CancelEnded, CancelIntended, CreateConfirmed, CreateIntended, Ended, Line
from reconciler.model import Job, Phase

JOBS: Final = next(
    (int(word) for word in sys.argv[1:] if word.isdigit()), 10_000 if "--small" in sys.argv else 100_000
)
ROUNDS: Final = 3
MOST: Final = 3.0
"""Seconds that a command may take."""
BEGIN: Final = 1_735_689_600
NAMES: Final = 400
ENDS: Final = (("SUCCEEDED", "SUCCESS"),) * 8 + (("FAILED", "FAILED"), ("TIMED_OUT", "TIMEOUT_EXCEEDED"))
COMMANDS: Final = {
    "table": (),
    "filters": ("--name", "job-1*", "--status", "FAILED", "--since", "2025-03"),
    "stats": ("--stats",),
    "csv": ("--format", "csv"),
    "jsonl": ("--format", "jsonl"),
}


def lines_of(job: int, dice: random.Random) -> list[Line]:
    """Return what the ledger says of one job."""
    at = BEGIN + job * 300 + dice.random()
    run_id, job_id, op = f"{job // 20:012x}", f"{dice.getrandbits(128):032x}", f"{job:024x}"
    name, commit, requests = f"job-{job % NAMES:03}", f"{job // 100:040x}", dice.randrange(1, 50_000)
    actor = dice.choice(("ada", "grace", "ci-bot"))
    url = f"https://github.com/acme/batches/actions/runs/{job}"
    about = {"name": name, "work": f"v1:{dice.getrandbits(256):064x}", "rerun": "", "attempt": 1}
    model = dice.choice(("mistral-small-latest", "mistral-large"))
    phase, status = dice.choice(ENDS)
    made = Job(
        id=job_id,
        phase=Phase.ACTIVE,
        status="QUEUED",
        endpoint="/v1/chat/completions",
        model=model,
        created_at=int(at) + 1,
    )
    found: list[Line] = [
        CreateIntended(
            at=at, run_id=run_id, op=op, reason="new", commit=commit, actor=actor, run_url=url, **about
        ),
        CreateConfirmed(at=at + 1, run_id=run_id, op=op, job=made, requests=requests, **about),
    ]
    if job % 50 == 0:
        phase, status = "CANCELLED", "CANCELLED"
        who = {"commit": commit, "actor": actor, "run_url": url}
        found.append(
            CancelIntended(at=at + 60, run_id=run_id, job_id=job_id, name=name, reason="superseded", **who)
        )
        found.append(CancelEnded(at=at + 61, run_id=run_id, job_id=job_id, status="CANCELLATION_REQUESTED"))
    began, took = int(at) + 1 + dice.randrange(600), dice.randrange(30, 20_000)
    failed = dice.randrange(5)
    over = replace(
        made,
        phase=Phase(phase),
        status=status,
        started_at=began,
        completed_at=began + took,
        total_requests=requests,
        succeeded_requests=max(0, requests - failed),
        failed_requests=min(failed, requests),
        output_file=f"{dice.getrandbits(128):032x}",
    )
    found.append(Ended(at=at + 30_000, run_id=run_id, job=over, requests=requests, **about))
    return found


def told(root: Path, argv: tuple[str, ...]) -> Spent:
    """Run `history --offline` and return what it took."""
    return spent([sys.executable, "-m", "reconciler", "history", "--offline", "--sandbox", *argv], cwd=root)


def main() -> int:
    """Print the times."""
    dice = random.Random(7)  # noqa: S311  the same ledger each time
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "reconciler.yaml").write_text("project: bench\n")
        ledger = root / ".reconciler/sandbox/bench/ledger.jsonl"
        ledger.parent.mkdir(parents=True)
        rows = [encode(line) for job in range(JOBS) for line in lines_of(job, dice)]
        ledger.write_text("".join(f"{row}\n" for row in rows))
        machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
        print(f"{machine}, a load of {os.getloadavg()[0]:.1f}")
        print(f"{JOBS:,} jobs, {len(rows):,} lines, {ledger.stat().st_size / 1e6:.0f} MB\n")
        print("| command | seconds | CPU seconds | output, MB |\n|---|---|---|---|")
        slowest = 0.0
        for name, argv in COMMANDS.items():
            found = best(ROUNDS, lambda argv=argv: told(root, argv))  # type: ignore[misc]
            slowest = max(slowest, found.wall) if name in ("table", "filters", "stats") else slowest
            print(f"| {name} | {found.wall:.2f} | {found.cpu:.2f} | {len(found.out) / 1e6:.1f} |")
    return int(slowest >= MOST)


if __name__ == "__main__":
    sys.exit(main())

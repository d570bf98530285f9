"""The shared ledger over years: the time of `history verify`, the memory of a plan, and pushes at the same time.

    python benchmarks/ledger.py [--small]

Each command is a process of its own; remotes are bare repositories on this disk, and the sandbox is served over HTTP.
Ends with 1 if a target is missed: the time per push of `verify` grows, a year takes 10 seconds or more, 100,000 jobs
take 100 MB or more, or one of twelve projects that apply at the same time fails.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from history import lines_of
from measure import ROOT, Row, Spent, report, spent

from reconciler.ledger.git import GitLedger
from reconciler.ledger.git_calls import LedgerGit
from reconciler.ledger.line_format import encode
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from reconciler.vcs.git_process import Repository

PUSHES: Final = 80 if "--small" in sys.argv else 800
YEAR: Final = 1_095
"""Pushes of a team in a year: three a day."""
JOBS_A_YEAR: Final = 24_000
"""With three lines each, more in those that were cancelled."""
MANY: Final = 100_000
TEAMS: Final = 12
ENVIRON: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "MISTRAL_API_KEY": "none",
    "RECONCILER_LOG_LEVEL": "error",
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder: Path, *argv: str, data: bytes = b"") -> str:
    """Run git and return its output."""
    done = subprocess.run(
        ["git", *argv],  # noqa: S607
        cwd=folder,
        env={**os.environ, **ENVIRON},
        input=data,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


def clone(folder: Path, name: str, *, url: str) -> Path:
    """Clone the bare repository `origin.git`, and return the clone with one project in it."""
    if not (folder / "origin.git").exists():
        git(folder, "init", "--quiet", "--bare", "origin.git")
    git(folder, "clone", "--quiet", "origin.git", name)
    root = folder / name
    (root / "reconciler.yaml").write_text("project: bench\nledger: git\nlimits: {settle_seconds: 0}\n")
    spec = "name: one\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\nrequests: []\n"
    (root / "specs").mkdir(exist_ok=True)
    body = "  - {custom_id: a, body: {messages: [{role: user, content: hi}]}}\n"
    (root / "specs/one.yaml").write_text(spec.replace("requests: []\n", f"requests:\n{body}"))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "specs", "--allow-empty")
    (root / "url").write_text(url)
    return root


def ledger_of(root: Path) -> GitLedger:
    """Return the ledger of a clone, as the commands see it."""
    repository = Repository.find(root)
    assert repository  # noqa: S101
    host = (root / "url").read_text().partition("://")[2].replace(":", "_")
    calls = LedgerGit(repository=repository, remote="origin", credentials={}, now=time.time)
    return GitLedger(git=calls, project="bench", folder=f"{host}/bench", state=root / ".reconciler")


def rows(jobs: int) -> list[bytes]:
    """Return the lines of so many jobs."""
    dice = random.Random(7)  # noqa: S311  the same ledger each time
    return [encode(line).encode() for job in range(jobs) for line in lines_of(job, dice)]


def imported(root: Path, lines: Sequence[bytes], pushes: int) -> None:
    """Write the history that so many pushes make, without their processes."""
    ledger = ledger_of(root)
    each = -(-len(lines) // pushes)

    def commands() -> Iterator[bytes]:
        for number in range(pushes):
            data = b"".join(line + b"\n" for line in lines[number * each : (number + 1) * each])
            name = f"{ledger.folder}/{time.strftime('%Y-%m/%dT%H%M%SZ', time.gmtime(1.7e9 + number * 28_800))}.jsonl"
            yield (
                b"commit %s\ncommitter reconciler <reconciler@localhost> 1700000000 +0000\n"
                % ledger.ref.encode()
            )
            yield b"data 1\nm\nM 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(data), data)

    git(root.parent / "origin.git", "fast-import", "--quiet", data=b"".join(commands()))
    git(root.parent / "origin.git", "gc", "--quiet")


def run(root: Path, *argv: str, codes: Iterable[int] = (0, 6)) -> Spent:
    """Run the tool in a clone."""
    url = (root / "url").read_text()
    environ = {**ENVIRON, "MISTRAL_BASE_URL": url}
    return spent([sys.executable, "-m", "reconciler", *argv], cwd=root, environ=environ, codes=codes)


@contextmanager
def sandbox() -> Iterator[str]:
    """Serve the sandbox, and yield its address."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "workspace.db") as store:
        server = Server(make_app(store, now=time.time), "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def verify_times(folder: Path, url: str) -> list[tuple[int, float]]:
    """Push so often, and return what `history verify` takes after a quarter, half and all of the pushes."""
    writer = clone(folder, "writer", url=url)
    ledger, lines = ledger_of(writer), iter(rows(PUSHES * 2))
    tip, found = "", []
    for number in range(1, PUSHES + 1):
        tip = ledger.push(tip, [next(lines) for _ in range(4)], message="bench")
        if number in (PUSHES // 4, PUSHES // 2, PUSHES):
            reader = clone(folder, f"reader{number}", url=url)
            run(reader, "ledger", "pull")
            found.append((number, run(reader, "history", "verify", "--offline").wall))
            print(f"{number:>5} pushes: history verify {found[-1][1]:.2f} s")
    return found


def year(folder: Path, url: str) -> float:
    """Return what the first `history verify` of a year takes."""
    root = clone(folder, "year", url=url)
    lines = rows(JOBS_A_YEAR)
    imported(root, lines, YEAR)
    pull = run(root, "ledger", "pull")
    first, again = (run(root, "history", "verify", "--offline") for _ in range(2))
    packed = sum(file.stat().st_size for file in (folder / "origin.git/objects").rglob("*.pack"))
    print(
        f"{YEAR:,} pushes, {len(lines):,} lines, {packed / 1e6:.1f} MB packed: ledger pull {pull.wall:.1f} s, "
        f"history verify {first.wall:.1f} s, again {again.wall:.1f} s"
    )
    return first.wall


def memory(folder: Path, url: str, jobs: int) -> float:
    """Return the peak in MB of a plan and an apply with a ledger of so many jobs, the higher one."""
    place = folder / str(jobs)
    place.mkdir()
    root = clone(place, "clone", url=url)
    imported(root, rows(jobs), max(1, jobs * 3 // 65))
    plan = run(root, "plan", "--allow-other-workspace", codes=(0, 2, 3))
    apply = run(root, "apply", "--yes", "--allow-other-workspace", codes=(0,))
    print(
        f"{jobs:>7,} jobs in the ledger: plan {plan.rss:.0f} MB, {plan.cpu:.1f} CPU s, {plan.wall:.1f} s; "
        f"apply {apply.rss:.0f} MB, {apply.cpu:.1f} CPU s, {apply.wall:.1f} s",
        flush=True,
    )
    return max(plan.rss, apply.rss)


def teams(folder: Path, url: str) -> int:
    """Let twelve projects of one repository apply at the same time; return how many fail."""
    root = clone(folder, "teams", url=url)
    (root / "reconciler.yaml").unlink()
    for number in range(TEAMS):
        team = root / f"team-{number}"
        (team / "specs").mkdir(parents=True)
        (team / "reconciler.yaml").write_text(f"project: team-{number}\nledger: git\n")
        spec = (root / "specs/one.yaml").read_text()
        (team / "specs/one.yaml").write_text(spec.replace("content: hi", f"content: hi {number}"))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "teams")
    git(root, "push", "--quiet", "origin", "HEAD:main")
    git(folder / "origin.git", "symbolic-ref", "HEAD", "refs/heads/main")
    environ = {**os.environ, **ENVIRON, "MISTRAL_BASE_URL": url, "PYTHONPATH": str(ROOT)}
    environ["RECONCILER_LOG_LEVEL"] = "info"
    running = []
    for number in range(TEAMS):  # a runner each
        git(folder, "clone", "--quiet", "--depth=1", f"file://{folder}/origin.git", f"runner-{number}")
        command = [sys.executable, "-m", "reconciler", "apply", "--yes", "--log-format", "json"]
        where = folder / f"runner-{number}/team-{number}"
        running.append(subprocess.Popen(command, cwd=where, env=environ, stdout=-1, stderr=-1, text=True))
    outputs = [process.communicate() for process in running]
    events = [json.loads(row) for _, errors in outputs for row in errors.splitlines() if row.startswith("{")]
    count = {name: sum(it["event"] == name for it in events) for name in ("job.created", "ledger.conflict")}
    codes = [process.returncode for process in running]
    branches = git(folder / "origin.git", "branch", "--list", "reconciler-ledger/team-*").split()
    print(f"{TEAMS} projects at once: exit codes {codes}, {len(branches)} branches, {count}")
    wrong: int = (
        sum(code != 0 for code in codes) + abs(count["job.created"] - TEAMS) + count["ledger.conflict"]
    )
    for _, errors in outputs if wrong else ():
        print(errors, file=sys.stderr)
    return wrong


def main() -> int:
    """Print the times and the sizes."""
    with tempfile.TemporaryDirectory() as name, sandbox() as url:
        places = {it: Path(name, it) for it in ("teams", "verify", "year", "memory")}
        for folder in places.values():
            folder.mkdir()
        failed = teams(places["teams"], url)
        (few, short), _, (many, long) = verify_times(places["verify"], url)
        took = year(places["year"], url)
        more = -memory(places["memory"], url, 1) + memory(places["memory"], url, MANY)
    return report(
        [
            Row("twelve projects at once: failures, races and duplicates", 0, failed, ""),
            Row(f"history verify, {many} pushes to {few}", many / few * 1.2, long / short, ""),
            Row("history verify of a year, seconds", 10, took, ""),
            Row(f"{MANY:,} jobs in the ledger, MB in plan and apply", 100, more, ""),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

"""A workspace of twelve teams with up to 200,000 jobs, and what each ledger adds to a run.

    python benchmarks/scale.py [--small]

The first table counts the calls of a ledger's remote in runs of a hundred jobs, with git by a wrapper of `git`, with S3
by the log of moto (`pip install "moto[server]" s3fs`; otherwise it has no such rows). Then come runs with a
ledger in git of a year of one team, and of all. The last table is a plan of one team.
Each team has 1,000 specs and a twelfth of the jobs; in the last row one team has all of them. The list answers after
50 ms a page. There is no target.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import httpx
import ledger
import measure
import noop
import workspace

from reconciler.model import tags

TEAMS: Final = 12
SPECS: Final = 1_000
CREATES: Final = 100
MANY: Final = 20_000 if "--small" in sys.argv else 200_000
SIZES: Final = (MANY // 20, MANY // 4, MANY // 2, MANY)


def jobs(root: Path, count: int, *, teams: int) -> list[dict[str, object]]:
    """Return so many jobs: one of each spec, and older ones of the same names, in turn of each team."""
    specs = workspace.declared(root)
    rows = [workspace.row(spec, number + 1) for number, spec in enumerate(specs)]
    for number in range(SPECS, count):
        row = workspace.row(specs[number % SPECS], number + 1, name=f"tickets-{number % SPECS:06}")
        metadata = row["metadata"]
        if isinstance(metadata, dict) and number % teams:
            metadata[tags.PROJECT] = f"team-{number % teams}"
        rows.append(row)
    return rows


@contextlib.contextmanager
def bucket(log: Path) -> Iterator[dict[str, str]]:
    """Serve S3 with a bucket; yield the variables that a client needs. Requests are in the log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with log.open("ab") as errors:
        server = subprocess.Popen(command, stdout=errors, stderr=errors)
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.put(f"{url}/bucket").raise_for_status()
                break
            time.sleep(0.2)
        yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    finally:
        server.kill()
        server.wait()


def calls(lines: Sequence[str]) -> str:
    """Return what was called, from the lines of both logs, and how often."""
    words = [
        re.search(r"(?:^|\s)(fetch|push|ls-remote)\s|\"(?:\x1b\[\d+m)*(GET|PUT|HEAD|POST|DELETE) /", it)
        for it in lines
    ]
    found = Counter(word[1] or word[2] for word in words if word)
    return ", ".join(f"{count} {word}" for word, count in sorted(found.items())) or "-"


def specs(root: Path, count: int) -> None:
    """Declare so many jobs of one request."""
    body = "  - {custom_id: a, body: {messages: [{role: user, content: hi %s}]}}\n"
    for number in range(count):
        head = f"name: job-{number}\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\nrequests:\n"
        (root / f"{number}.yaml").write_text(head + body % number)


def ledgers(folder: Path) -> None:
    """Print what each ledger adds to an apply of new jobs and to runs without changes."""
    git_log, store_log = folder / "git.log", folder / "store.log"
    wrapper = folder / "bin/git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$*" >> {git_log}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    has_store = find_spec("moto") and find_spec("s3fs")
    places = ["local", "git", *(["s3://bucket/ledger"] if has_store else [])]
    print("\n| ledger | command | calls | seconds | CPU seconds | peak MB |\n|---|---|---|--:|--:|--:|")
    with ledger.sandbox() as url, contextlib.ExitStack() as stack:
        store = stack.enter_context(bucket(store_log)) if has_store else {}
        for place in places:
            kind = place.partition(":")[0]
            root = ledger.clone(folder, kind, url=url)
            (root / "reconciler.yaml").write_text(f"project: {kind}\nledger: {place}\n")
            specs(root / "specs", CREATES)
            ledger.git(root, "add", ".")
            ledger.git(root, "commit", "--quiet", "-m", "specs")
            path = f"{wrapper.parent}:{os.environ['PATH']}"
            environ = {
                **ledger.ENVIRON,
                **store,
                "MISTRAL_API_KEY": place,
                "MISTRAL_BASE_URL": url,
                "PATH": path,
            }
            for what, argv in (
                ("the first apply", ("apply", "--yes")),
                ("a plan", ("plan",)),
                ("the next apply", ("apply", "--yes")),
                ("an apply without changes", ("apply", "--yes")),
                ("an apply of new jobs", ("apply", "--yes")),
            ):
                if "new" in what:
                    specs(root / "specs", 2 * CREATES)
                for log in (git_log, store_log):
                    log.write_text("")
                found = measure.spent([sys.executable, "-m", "reconciler", *argv], cwd=root, environ=environ)
                called = calls([*git_log.read_text().splitlines(), *store_log.read_text().splitlines()])
                used = f"{found.wall:.1f} | {found.cpu:.1f} | {found.rss:.0f}"
                print(f"| {place} | {what} | {called} | {used} |", flush=True)


def main() -> int:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as name:
        ledgers(Path(name))
    with tempfile.TemporaryDirectory() as name, ledger.sandbox() as url:
        for count in (MANY // TEAMS, MANY):
            ledger.memory(Path(name), url, count)
    print()
    print("| jobs in the workspace | of this team | plan, seconds | CPU seconds | peak MB |")
    print("|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        for size, teams in (*((size, TEAMS) for size in SIZES), (MANY, 1)):
            root = workspace.project(Path(name) / "project", SPECS)
            rows = jobs(root, size, teams=teams)
            own = sum(it["metadata"][tags.PROJECT] == "bench" for it in rows)  # type: ignore[index]
            with workspace.serving(rows, Path(name), delay=noop.DELAY) as url:
                del rows
                found = noop.planned(root, url)
            print(
                f"| {size:,} | {own:,} | {found.wall:.1f} | {found.cpu:.1f} | {found.rss:.0f} |", flush=True
            )
            shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())

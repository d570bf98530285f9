"""Two runners in two clones apply at the same moment: with the shared ledger, and without any."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from .processes import JOBS, KEY, POSIX, Gate, Shop, finish, gated

pytestmark = POSIX
SPECS = 3
TIMES = 50


def git(folder: Path, *argv: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, *argv], cwd=folder, env=environ, check=True, capture_output=True)


def clones(folder: Path, url: str, *, ledger: str) -> tuple[Shop, Shop]:
    """Return two clones of one repository with a bare remote."""
    first = Shop(folder / "first", url)
    first.write("reconciler.yaml", f"project: shop\nledger: {ledger}\nlimits: {{settle_seconds: 0}}\n")
    first.write(".gitignore", ".reconciler/\n")
    first.specs(SPECS)
    git(folder, "init", "--quiet", "--bare", "origin.git")
    git(first.root, "init", "--quiet", "-b", "main")
    git(first.root, "add", ".")
    git(first.root, "commit", "--quiet", "-m", "Specs")
    git(first.root, "remote", "add", "origin", str(folder / "origin.git"))
    git(first.root, "push", "--quiet", "origin", "HEAD:main")
    shutil.copytree(first.root, folder / "second")
    second = Shop(folder / "second", url)
    shutil.copy(first.root / "reconciler.yaml", second.root)
    return first, second


def job_for(url: str) -> Counter[str]:
    """Return how many jobs were made of each piece of work, live or not."""
    listed = httpx.get(f"{url}{JOBS}", headers={"Authorization": f"Bearer {KEY}"}, params={"page_size": 1000})
    return Counter(job["metadata"]["reconciler.work"] for job in listed.json().get("data", []))


def both_at_once(gate: Gate, pair: tuple[Shop, Shop]) -> None:
    """Let both read an empty workspace before either goes on."""
    gate.close(f"GET {JOBS}")
    processes = [shop.start("apply", "--yes") for shop in pair]
    gate.wait_for(f"GET {JOBS}", 2)
    gate.open()
    for process in processes:
        assert finish(process).code == 0


def with_the_shared_ledger(folder: Path) -> None:
    with gated(folder) as (gate, url):
        pair = clones(folder, url, ledger="git")
        both_at_once(gate, pair)
        assert sorted(job_for(url).values()) == [1] * SPECS
        assert pair[1].run("apply", "--yes").out.startswith("No changes.")


def without_a_shared_ledger(folder: Path) -> None:
    with gated(folder) as (gate, url):
        pair = clones(folder, url, ledger="local")
        both_at_once(gate, pair)
        assert pair[0].run("apply", "--yes").code == 0
        live = [job["name"] for job in pair[0].jobs() if job["status"] in ("QUEUED", "RUNNING")]
        assert sorted(live) == sorted({job["name"] for job in pair[0].jobs()})


def test_two_runners_with_the_shared_ledger_create_every_piece_of_work_once(tmp_path: Path) -> None:
    with_the_shared_ledger(tmp_path)


@pytest.mark.thorough
def test_two_runners_without_a_ledger_in_common_leave_one_live_job_after_the_next_apply(
    tmp_path: Path,
) -> None:
    without_a_shared_ledger(tmp_path)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("scene", [with_the_shared_ledger, without_a_shared_ledger])
def test_two_runners_again_and_again(tmp_path: Path, scene: Callable[[Path], None]) -> None:
    for number in range(TIMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        scene(folder)

"""Pods of the CronJob, killed at any moment: the manifests' own commands, as processes, in fresh folders."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .processes import KEY, POSIX, ROOT, Shop, gated
from .test_kubernetes import containers, git, pod, script
from .test_two_runners import job_for

LONGEST = 4.0
"""Seconds after which a pod is killed, at most: some have ended before."""
KILLS = (signal.SIGTERM, signal.SIGKILL, None)


class Cluster:
    """A repository, and pods that apply it, each with a folder that only it has."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.made = 0
        self.program = folder / "bin/reconciler"
        self.program.parent.mkdir()
        self.program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', encoding="utf-8")
        self.program.chmod(0o755)
        self.home = Shop(folder / "home", url)
        self.home.write(
            "reconciler.yaml",
            "project: shop\nledger: git\nlimits: {settle_seconds: 1}\n"
            "apply: {only_from: [main], clean: true, pushed: true}\n",
        )
        self.home.write(".gitignore", ".reconciler/\n")
        git(folder, "init", "--quiet", "--bare", "origin.git")
        git(self.home.root, "init", "--quiet")
        git(self.home.root, "remote", "add", "origin", str(folder / "origin.git"))

    def declare(self, count: int) -> str:
        """Declare so many jobs, push them, and return the commit."""
        self.home.specs(count)
        git(self.home.root, "add", "--all")
        git(self.home.root, "commit", "--quiet", "--allow-empty", "--message=Specs")
        git(self.home.root, "push", "--quiet", "origin", "HEAD:main")
        return git(self.home.root, "rev-parse", "HEAD")

    def start(self, commit: str) -> subprocess.Popen[bytes]:
        """Start a pod in a session of its own: first the checkout, then the apply."""
        self.made += 1
        work = self.folder / f"pod-{self.made}"
        work.mkdir()
        env = {
            "PATH": f"{self.program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(work),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "MISTRAL_API_KEY": KEY,
            "MISTRAL_BASE_URL": self.url,
            "SPECS_REPOSITORY": str(self.folder / "origin.git"),
            "SPECS_BRANCH": "main",
            "SPECS_REVISION": commit,
        }
        checkout, apply = containers(pod())
        subprocess.run(script(checkout, work), env=env, check=True)
        with (self.folder / f"pod-{self.made}.log").open("wb") as log:
            return subprocess.Popen(
                script(apply, work),
                cwd=work / "checkout",
                env=env,
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def forget(self) -> None:
        """Remove the folders of all pods, as Kubernetes does."""
        for work in self.folder.glob("pod-*/"):
            shutil.rmtree(work)


@POSIX
@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    ("rounds", "pods"),
    [
        pytest.param(2, 2, marks=pytest.mark.thorough),
        pytest.param(25, 8, marks=pytest.mark.long),
    ],
)
def test_pods_that_are_killed_at_any_moment_submit_every_piece_of_work_once(
    tmp_path: Path, rounds: int, pods: int
) -> None:
    chance, ends = random.Random(rounds), list[tuple[str, int]]()
    with gated(tmp_path) as (_, url):
        cluster = Cluster(tmp_path, url)
        for number in range(1, rounds + 1):
            commit = cluster.declare(number)
            running = [cluster.start(commit) for _ in range(pods)]
            for process in running:
                time.sleep(chance.uniform(0, LONGEST) / pods)
                kill = chance.choice(KILLS)
                if kill is signal.SIGKILL and process.poll() is None:
                    os.killpg(process.pid, kill)  # the whole pod, as the kubelet does
                elif kill is signal.SIGTERM and process.poll() is None:
                    process.send_signal(kill)  # to the first process only
                ends.append((kill.name if kill else "none", process.wait(120)))
            cluster.forget()
            assert max(job_for(url).values(), default=1) == 1, (number, ends)
        time.sleep(1.5)
        for _ in range(2):
            last = cluster.start(cluster.declare(rounds))
            assert last.wait(120) == 0
            time.sleep(1.5)
        assert list(job_for(url).values()) == [1] * rounds
    numbers = {it: ends.count(it) for it in sorted(set(ends))}
    print(f"{cluster.made} pods, {rounds} pieces of work: {numbers}")  # noqa: T201  for -s
    assert {code for kill, code in ends if kill == "SIGTERM"} <= {0, 143, 1, 5}

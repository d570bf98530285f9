"""Pods of the CronJob, killed at any moment: the manifests' own commands, as processes, in fresh folders.

By hand: `pytest tests/cli/test_kubernetes_kills.py -m long -k bucket --rounds 200 -s`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .processes import KEY, POSIX, ROOT, Shop, gated
from .test_kubernetes import containers, git, pod, script
from .test_two_runners import job_for

KILLS = (signal.SIGTERM, signal.SIGKILL, None)
IN_GIT = "ledger: git\n"
IN_BUCKET = "ledger: s3://bucket/ledger\nresults: s3://bucket/outputs\n"


class Cluster:
    """A repository, and pods that apply it, each with a folder that only it has."""

    def __init__(self, folder: Path, url: str, settings: str, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.url = url
        self.environ = environ
        self.made = 0
        self.program = folder / "bin/reconciler"
        self.program.parent.mkdir()
        self.program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', encoding="utf-8")
        self.program.chmod(0o755)
        self.home = Shop(folder / "home", url)
        self.home.write(
            "reconciler.yaml",
            f"project: shop\n{settings}limits: {{settle_seconds: 1}}\n"
            "apply: {only_from: [main], clean: true, pushed: true}\n",
        )
        self.home.write(".gitignore", ".reconciler/\n")
        git(folder, "init", "--quiet", "--bare", "origin.git")
        git(self.home.root, "init", "--quiet")
        git(self.home.root, "remote", "add", "origin", str(folder / "origin.git"))

    def declare(self, count: int, model: str) -> str:
        """Declare so many jobs, push them, and return the commit."""
        self.home.specs(count)
        for file in (self.home.root / "specs").glob("*.yaml"):
            file.write_text(file.read_text().replace("sandbox-stuck", model))
        git(self.home.root, "add", "--all")
        git(self.home.root, "commit", "--quiet", "--allow-empty", "--message=Specs")
        git(self.home.root, "push", "--quiet", "origin", "HEAD:main")
        return git(self.home.root, "rev-parse", "HEAD")

    def start(self, commit: str, *, cut_off: bool = False) -> subprocess.Popen[bytes]:
        """Start a pod in a session of its own: first the checkout, then the apply, which may not reach the origin."""
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
            **self.environ,
        }
        checkout, apply = containers(pod())
        subprocess.run(script(checkout, work), env=env, check=True)
        if cut_off:
            git(work / "checkout", "remote", "set-url", "origin", "https://127.0.0.1:9/no-credential")
        with (self.folder / f"pod-{self.made}.log").open("wb") as log:
            return subprocess.Popen(
                script(apply, work),
                cwd=work / "checkout",
                env=env,
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def play(
        self, pods: list[subprocess.Popen[bytes]], chance: random.Random, longest: float
    ) -> list[tuple[str, int]]:
        """End pods within so many seconds, some with a signal; return how each ended."""
        moments = sorted((chance.uniform(0, longest), number) for number in range(len(pods)))
        began, kills = time.monotonic(), dict[int, signal.Signals | None]()
        for moment, number in moments:
            process, kill = pods[number], chance.choice(KILLS)
            kills[number] = kill
            time.sleep(max(0.0, began + moment - time.monotonic()) if kill else 0)
            if kill is signal.SIGKILL and process.poll() is None:
                os.killpg(process.pid, kill)  # the whole pod, as the kubelet does
            elif kill is signal.SIGTERM and process.poll() is None:
                process.send_signal(kill)  # to the first process only
        return [
            (kill.name if kill else "none", pods[number].wait(300)) for number, kill in sorted(kills.items())
        ]

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
        cluster = Cluster(tmp_path, url, IN_GIT, {})
        for number in range(1, rounds + 1):
            commit = cluster.declare(number, "sandbox-stuck")
            ends += cluster.play([cluster.start(commit) for _ in range(pods)], chance, longest=6.0)
            cluster.forget()
            assert max(job_for(url).values(), default=1) == 1, (number, ends)
        time.sleep(1.5)
        for _ in range(2):
            last = cluster.start(cluster.declare(rounds, "sandbox-stuck"))
            assert last.wait(120) == 0
            time.sleep(1.5)
        assert list(job_for(url).values()) == [1] * rounds
    tell(cluster, rounds, ends)


def tell(cluster: Cluster, rounds: int, ends: list[tuple[str, int]]) -> None:
    print(f"{cluster.made} pods, {rounds} pieces of work: {dict(sorted(Counter(ends).items()))}")  # noqa: T201  for -s
    assert {code for kill, code in ends if kill == "SIGTERM"} <= {0, 143, 1, 5}


def versions(s3: Any) -> Counter[str]:  # noqa: ANN401 - s3fs has no types
    """Return how often each object of the bucket was written."""
    found: Counter[str] = Counter()
    marker: dict[str, str] = {}
    while True:
        page = s3.call_s3("list_object_versions", Bucket="bucket", **marker)
        found.update(it["Key"] for it in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())))
        if not page.get("IsTruncated"):
            return found
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


@POSIX
@pytest.mark.timeout(0)
@pytest.mark.long
def test_pods_with_a_ledger_in_a_bucket_need_no_git_credential_and_pull_every_result_once(
    tmp_path: Path,
    s3: Any,  # noqa: ANN401 - s3fs has no types
    pytestconfig: pytest.Config,
) -> None:
    rounds, pods = pytestconfig.getoption("--rounds") or 10, 8
    chance, ends = random.Random(rounds), list[tuple[str, int]]()
    s3.call_s3("put_bucket_versioning", Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    environ = {name: text for name, text in os.environ.items() if name.startswith("AWS_")}
    with gated(tmp_path, speed=20) as (_, url):
        cluster = Cluster(tmp_path, url, IN_BUCKET, environ)
        for number in range(1, rounds + 1):
            commit = cluster.declare(number, "mistral-embed")
            running = [cluster.start(commit, cut_off=True) for _ in range(pods)]
            ends += cluster.play(running, chance, longest=25.0)
            cluster.forget()
            assert max(job_for(url).values(), default=1) == 1, (number, ends)
            print(f"round {number}: {len(job_for(url))} jobs", flush=True)  # noqa: T201  for -s
        for _ in range(3):
            time.sleep(6)
            last = cluster.start(cluster.declare(rounds, "mistral-embed"), cut_off=True)
            assert last.wait(300) == 0
        assert list(job_for(url).values()) == [1] * rounds
        written = versions(s3)
        refs = git(tmp_path / "origin.git", "for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/heads/main"]
    segments = [path for path in written if "/segments/" in path]
    pulled = [path for path in written if path.startswith("outputs/") and path.endswith("/summary.json")]
    jobs = [path for path in pulled if "/jobs/" in path]
    assert len(jobs) == rounds
    assert {written[path] for path in (*segments, *jobs)} == {1}
    print(f"{len(segments)} segments, {len(jobs)} jobs with results")  # noqa: T201  for -s
    tell(cluster, rounds, ends)

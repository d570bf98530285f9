"""Clones of one repository that share a ledger, and one workspace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.stage import Stage

SETTINGS = "project: shop\nledger: git\nlimits: {settle_seconds: 0}\n"


class Team:
    """Some clones of one repository, each with a stage of its own, and one workspace."""

    def __init__(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, settings: str = SETTINGS
    ) -> None:
        self._tmp_path = tmp_path
        self.settings = settings
        self._capsys = capsys
        self._url = url
        self.first = self.stage(tmp_path / "first")
        self.first.write("reconciler.yaml", settings)
        subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "origin.git")], check=True)

    def stage(self, root: Path) -> Stage:
        root.mkdir(exist_ok=True)
        stage = Stage(root, self._capsys)
        stage.environ = {
            "USER": "ada",
            "MISTRAL_API_KEY": "one-key-for-the-team",
            "MISTRAL_BASE_URL": self._url,
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        stage.clock = 1_790_000_000.0
        return stage

    def publish(self, message: str) -> None:
        self.first.commit(message)
        if "origin" not in self.first.git("remote"):
            self.first.git("remote", "add", "origin", str(self._tmp_path / "origin.git"))
        self.first.git("push", "--quiet", "origin", "HEAD:main")

    def clone(self, name: str) -> Stage:
        root = self._tmp_path / name
        self.first.git(
            "clone", "--quiet", "--depth=1", f"file://{self._tmp_path}/origin.git", str(root), "-b", "main"
        )
        stage = self.stage(root)
        stage.write("reconciler.yaml", self.settings)
        return stage

    def forge(self, *rows: str) -> None:
        """Push rows to the shared ledger, as a person does who may push and has no key."""
        origin, ref = self._tmp_path / "origin.git", "refs/heads/reconciler-ledger/shop"

        def git(*argv: str, data: str = "") -> str:
            command = ("git", "-C", str(origin), "-c", "user.name=eve", "-c", "user.email=eve@example.org")
            done = subprocess.run([*command, *argv], input=data, check=True, capture_output=True, text=True)
            return done.stdout.strip()

        tip = git("rev-parse", ref)
        files = git("ls-tree", "-r", "--name-only", tip).splitlines()
        last = max(name for name in files if name.endswith(".jsonl"))
        git("read-tree", tip)
        blob = git("hash-object", "-w", "--stdin", data="".join(f"{row}\n" for row in rows))
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{last}-{len(files)}.jsonl")
        git("update-ref", ref, git("commit-tree", git("write-tree"), "-p", tip, "-m", "outcomes"))

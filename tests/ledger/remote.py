"""A bare repository, and clones of it that keep a ledger there."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reconciler.ledger.git import GitLedger
from reconciler.ledger.git_calls import LedgerGit
from reconciler.vcs.git_process import Repository

REF = "refs/heads/reconciler-ledger/shop"

ENVIRON = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@dataclass
class Remote:
    """A bare repository and a clone of it that keeps a ledger there."""

    folder: Path

    def __post_init__(self) -> None:
        self.git(self.folder, "init", "--quiet", "--bare", "origin.git")
        self.git(self.folder, "init", "--quiet", "clone")
        self.git(self.clone, "remote", "add", "origin", "../origin.git")

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def ledger(self) -> GitLedger:
        return self.ledger_in(self.clone)

    def ledger_in(self, folder: Path, project: str = "shop") -> GitLedger:
        """Return the ledger of a clone, or of a folder in it."""
        repository = Repository.find(folder)
        assert repository
        git = LedgerGit(repository=repository, remote="origin", credentials={}, now=lambda: 0.0)
        return GitLedger(git=git, project=project, folder="target", state=folder / ".reconciler")

    def another(self, name: str, *options: str) -> Path:
        """Clone the remote with options of `git clone`, over a protocol that can leave things out."""
        self.git(self.folder, "clone", "--quiet", *options, f"file://{self.origin}", name)
        return self.folder / name

    def commit_to_main(self) -> None:
        for number in "123":
            self.git(self.clone, "commit", "--quiet", "--allow-empty", "-m", number)
        self.git(self.clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
        self.git(self.origin, "symbolic-ref", "HEAD", "refs/heads/main")
        self.git(self.origin, "config", "uploadpack.allowFilter", "true")

    def git(self, folder: Path, *argv: str) -> str:
        done = subprocess.run(
            ["git", *argv], cwd=folder, env=ENVIRON, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def hook(self, name: str, script: str) -> None:
        path = self.origin / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def config(self, name: str, value: str) -> None:
        self.git(self.origin, "config", name, value)

    def overtake(self) -> None:
        """Push as another run would."""
        tree = self.git(self.origin, "mktree")
        commit = self.git(self.origin, "commit-tree", tree, "-m", "other")
        self.git(self.origin, "update-ref", REF, commit)

    def push(self, tip: str = "") -> str:
        return self.ledger.push(tip, [b"{}"], message="m")

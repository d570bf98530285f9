"""What git knows: the commit that is checked out, what differs from it, and which commits it contains.

Through git's own command line, which reads and never writes here. Outside of a checkout, or without git, every
answer is empty and nothing fails: then jobs carry no commit, and a job that carries one is not ours to stop.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from reconciler.model import Checkout, Source
from reconciler.render.clean import clean

TIMEOUT_SECONDS: Final = 60
MANY: Final = 32
"""Of more commits, git is asked for the whole history at once."""


def checkout(root: Path) -> Checkout:
    """Return where the project stands in git's history."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if commit is None:
        return Checkout()
    branch = _git(root, "symbolic-ref", "--short", "--quiet", "HEAD") or ""
    shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true"
    return Checkout(commit=commit, branch=branch, uncommitted=uncommitted(root), shallow=shallow)


def uncommitted(root: Path) -> frozenset[str]:
    """Return the files below the project root that differ from the commit, relative to the root."""
    told = _git(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", ".")
    prefix = _git(root, "rev-parse", "--show-prefix") or ""
    rows = [row[3:] for row in (told or "").split("\0") if row]
    return frozenset(
        path for row in rows if not (path := row.removeprefix(prefix)).startswith(".reconciler/")
    )


def contained(root: Path, commits: Iterable[str]) -> frozenset[str] | None:
    """Return those commits that are HEAD or its ancestors; None outside of a checkout.

    A shallow clone does not know its ancestors: a commit it lacks is not contained.
    """
    if _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") is None:
        return None
    asked = frozenset(commit for commit in commits if commit.isalnum())
    if len(asked) > MANY:
        return asked & frozenset((_git(root, "rev-list", "HEAD") or "").split())
    return frozenset(commit for commit in asked if _is_ancestor(root, commit, "HEAD"))


def newer(root: Path, commits: Iterable[str]) -> frozenset[str]:
    """Return those commits that contain HEAD and are not it: they came later.

    What the clone does not have is not among them.
    """
    return frozenset(
        commit for commit in commits if commit.isalnum() and _is_ancestor(root, "HEAD", commit)
    ) - {_git(root, "rev-parse", "HEAD") or ""}


def _is_ancestor(root: Path, older: str, younger: str) -> bool:
    return _git(root, "merge-base", "--is-ancestor", older, younger) is not None


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, None where it fails or is not there."""
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603  no shell, and no argument begins with a dash
            ["git", *arguments],  # noqa: S607  git is where PATH says
            cwd=root,
            env=environ,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    text = done.stdout.decode("utf-8", "replace")
    return text.rstrip("\n")


def source(found: Checkout, environ: Mapping[str, str]) -> Source:
    """Return who buys from where, from git and from the environment that GitHub and GitLab set."""
    run_url = environ.get("CI_JOB_URL", "")
    if environ.get("GITHUB_RUN_ID"):
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        run_url = f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{environ['GITHUB_RUN_ID']}"
    actors = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "USERNAME")
    actor = next((environ[name] for name in actors if environ.get(name)), "")
    return Source(commit=found.commit, dirty=found.dirty, actor=clean(actor), run_url=clean(run_url))

"""Runs git for the shared ledger, and finds the lock files that make it fail.

Every failure is a `LedgerError` that says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import LedgerError
from reconciler.ledger import git_push
from reconciler.ledger.git_lock import Lock, LockedError
from reconciler.vcs.git_process import Answer, GitUnavailableError, Repository, reason

TIMEOUT_SECONDS: Final = 120
UNREADABLE: Final = "the shared ledger is unreadable"
UNWRITABLE: Final = "the ledger cannot be written"
_BESIDE_REFS: Final = ("packed-refs.lock", "shallow.lock")
"""Lock files other than those of single refs: they make only some commands fail."""
_IN_THE_WAY: Final = re.compile(r"(remote: )?.*Unable to create '(.+\.lock)': File exists")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerGit:
    """Git in a clone, and one remote of it.

    Args:
        repository: the clone.
        remote: the name of one of its remotes.
        credentials: environment variables for the commands that contact the remote.
        now: wall clock, Unix seconds.
    """

    repository: Repository
    remote: str
    credentials: Mapping[str, str]
    now: Callable[[], float]

    def text(
        self, *arguments: str, why: str, data: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> str:
        """Return the output of a command. An error begins with `why`.

        Raises:
            LedgerError: the command failed, or (`LockedError`) a lock file of git is in the way.
        """
        done = self.run(*arguments, data=data, extra=extra)
        if done.returncode:
            raise self.error(why, done)
        return done.stdout.decode("utf-8", "replace")

    def run(
        self, *arguments: str, data: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> Answer:
        """Return a finished command, which may have failed.

        Raises:
            LedgerError: git cannot be run.
        """
        try:
            return self.repository.run(*arguments, data=data, extra=extra, timeout_seconds=TIMEOUT_SECONDS)
        except GitUnavailableError as error:
            raise LedgerError(f"the shared ledger needs git: {error}", hint=error.hint) from error

    def error(self, why: str, done: Answer) -> LedgerError:
        """Return the error for a command that failed."""
        errors = done.stderr.decode("utf-8", "replace")
        if lock := lock_in_the_way(self, errors):
            return LockedError(why, lock)
        return git_push.failure(why, reason(errors) or f"git ended with {done.returncode}")


def lock_in_the_way(git: LedgerGit, errors: str) -> Lock | None:
    """Return the lock file that git names as the reason for its failure; None if it names none."""
    match = _IN_THE_WAY.search(errors)
    if match is None:
        return None
    if not match[1]:
        return _look(git, git.repository.folder / match[2])
    if _remote_folder(git) is None:
        return Lock(path=Path(match[2]), name=match[2], remote=git.remote, here=False)
    return _look(git, Path(match[2]), remote=git.remote)


def find_locks(git: LedgerGit, *, ours: str, theirs: str) -> tuple[Lock, ...]:
    """Return the lock files that exist, as far as this machine can see them.

    Args:
        git: runs git in the clone.
        ours: a folder of refs in this clone.
        theirs: a ref of the remote.
    """
    asked = (word for name in (ours, *_BESIDE_REFS) for word in ("--git-path", name))
    paths = git.run("rev-parse", *asked).stdout.decode("utf-8", "replace")  # in a linked worktree too
    places = [git.repository.folder / line for line in paths.splitlines()]
    inside = (path for place in places for path in (place.rglob("*.lock") if place.is_dir() else (place,)))
    locks = [_look(git, path) for path in inside]
    if there := _remote_folder(git):
        bare = there / ".git" if (there / ".git").is_dir() else there
        locks += [_look(git, bare / name, remote=git.remote) for name in (f"{theirs}.lock", *_BESIDE_REFS)]
    return tuple(sorted((lock for lock in locks if lock.seconds is not None), key=lambda it: it.name))


def _remote_folder(git: LedgerGit) -> Path | None:
    """Return the remote's repository if it is a folder of this machine."""
    done = git.run("remote", "get-url", git.remote)
    if done.returncode:
        return None
    url = done.stdout.decode("utf-8", "replace").strip()
    folder = git.repository.folder / url.removeprefix("file://")
    return folder if folder.is_dir() else None


def _look(git: LedgerGit, path: Path, *, remote: str = "") -> Lock:
    root = git.repository.folder
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    try:
        seconds = max(0.0, git.now() - path.stat().st_mtime)
    except OSError:
        return Lock(path=path, name=name, remote=remote)
    return Lock(path=path, name=name, remote=remote, seconds=seconds)

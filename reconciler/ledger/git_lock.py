"""The lock files that git leaves behind when it is killed.

Git creates `<file>.lock` before it writes a file. While the lock exists, every other git that writes the same file
fails. This tool never deletes one: a git that still needs it may run in another container, or on another host that
shares the folder.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import LedgerError
from reconciler.text.plural import age

if TYPE_CHECKING:
    from reconciler.ledger.git_calls import LedgerGit

STALE_SECONDS: Final = 60.0
"""No git command of this tool holds a lock for that long."""
_BESIDE_REFS: Final = ("packed-refs.lock", "shallow.lock")
"""Lock files other than those of single refs: they make only some commands fail."""
_IN_THE_WAY: Final = re.compile(r"(remote: )?.*Unable to create '(.+\.lock)': File exists")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file."""

    path: Path
    name: str
    """The path to show: relative to the project if it is inside."""
    remote: str = ""
    """The remote whose repository it is in; "" if it is in this clone."""
    here: bool = True
    """False if the repository of the remote is not a folder of this machine."""
    seconds: float | None = None
    """Its age; None if it does not exist, or is not on this machine."""

    @property
    def description(self) -> str:
        """The lock file and its age."""
        of = f" of the remote {self.remote}" if self.remote else ""
        since = f", {age(self.seconds)} old" if self.seconds is not None else ""
        return f"git's lock file {self.name}{of}{since}"

    @property
    def hint(self) -> str:
        """What to do about it."""
        if not self.here:
            return (
                f"if no git command is running in the repository of {self.remote}, its administrator has to delete "
                "the file; a killed git left it behind"
            )
        if self.seconds is None:
            return "the file no longer exists: run again"
        return f"if no git command is running, delete it: rm {shlex.quote(str(self.path))}"


class LockedError(LedgerError):
    """Git cannot write because a lock file is there."""

    def __init__(self, why: str, lock: Lock) -> None:
        super().__init__(f"{why}: {lock.description} is in the way", hint=lock.hint)
        self.lock = lock

    @property
    def may_pass(self) -> bool:
        """Whether a git that is still running may delete the lock file soon."""
        return self.lock.seconds is None or self.lock.seconds < STALE_SECONDS


def in_the_way(git: LedgerGit, errors: str) -> Lock | None:
    """Return the lock file that git names as the reason for its failure; None if it names none."""
    match = _IN_THE_WAY.search(errors)
    if match is None:
        return None
    if not match[1]:
        return _look(git, git.repository.folder / match[2])
    if _remote_folder(git) is None:
        return Lock(path=Path(match[2]), name=match[2], remote=git.remote, here=False)
    return _look(git, Path(match[2]), remote=git.remote)


def found(git: LedgerGit, *, ours: str, theirs: str) -> tuple[Lock, ...]:
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

"""The lock files that git leaves behind when it is killed.

Git creates `<file>.lock` before it writes a file. While the lock exists, every other git that writes the same file
fails. This tool never deletes one: a git that still needs it may run in another container, or on another host that
shares the folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from reconciler.errors import LedgerError
from reconciler.text.plural import age
from reconciler.vcs.git_process import Answer

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


class RunGit(Protocol):
    """Runs git in the clone."""

    def __call__(self, *arguments: str) -> Answer:
        """Return the finished process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """Looks for the lock files of a clone and of its remote.

    Args:
        root: the project's root.
        remote: the remote's name.
        now: wall clock, Unix seconds.
        run: runs git at the root.
    """

    root: Path
    remote: str
    now: Callable[[], float]
    run: RunGit

    def in_the_way(self, output: str) -> Lock | None:
        """Return the lock file that git names as the reason for its failure; None if it names none."""
        match = _IN_THE_WAY.search(output)
        if match is None:
            return None
        if not match[1]:
            return self._look(self.root / match[2])
        if self._remote_folder() is None:
            return Lock(path=Path(match[2]), name=match[2], remote=self.remote, here=False)
        return self._look(Path(match[2]), remote=self.remote)

    def found(self, *, known_here: str, theirs: str) -> tuple[Lock, ...]:
        """Return the lock files that exist, as far as this machine can see them.

        Args:
            known_here: a folder of refs in this clone, `refs/reconciler`.
            theirs: a ref of the remote.
        """
        found = [
            self._look(path)
            for place in self._paths(known_here, *_BESIDE_REFS)
            for path in (place.rglob("*.lock") if place.is_dir() else (place,))
        ]
        if there := self._remote_folder():
            inside = there / ".git" if (there / ".git").is_dir() else there
            names = (f"{theirs}.lock", *_BESIDE_REFS)
            found += [self._look(inside / name, remote=self.remote) for name in names]
        return tuple(sorted((lock for lock in found if lock.seconds is not None), key=lambda it: it.name))

    def _paths(self, *names: str) -> list[Path]:
        """Return where files of the clone are, in a linked worktree too."""
        asked = (word for name in names for word in ("--git-path", name))
        done = self.run("rev-parse", *asked)
        return [self.root / line for line in done.stdout.decode("utf-8", "replace").splitlines()]

    def _remote_folder(self) -> Path | None:
        """Return the remote's repository if it is a folder of this machine."""
        done = self.run("remote", "get-url", self.remote)
        if done.returncode:
            return None
        folder = self.root / done.stdout.decode("utf-8", "replace").strip().removeprefix("file://")
        return folder if folder.is_dir() else None

    def _look(self, path: Path, *, remote: str = "") -> Lock:
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        try:
            seconds = max(0.0, self.now() - path.stat().st_mtime)
        except OSError:
            return Lock(path=path, name=name, remote=remote)
        return Lock(path=path, name=name, remote=remote, seconds=seconds)

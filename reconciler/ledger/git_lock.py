"""The lock files that git leaves behind when it is killed.

Git creates `<file>.lock` before it writes a file. While the lock exists, every other git that writes the same file
fails. This tool never deletes one: a git that still needs it may run in another container, or on another host that
shares the folder.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import LedgerError
from reconciler.text.plural import age

STALE_SECONDS: Final = 60.0
"""No git command of this tool holds a lock for that long."""


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

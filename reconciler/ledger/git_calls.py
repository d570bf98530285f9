"""Runs git for the shared ledger: every failure is a `LedgerError` that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.errors import LedgerError
from reconciler.ledger import git_lock, git_push
from reconciler.ledger.git_lock import LockedError
from reconciler.vcs.git_process import Answer, GitUnavailableError, Repository, reason

TIMEOUT_SECONDS: Final = 120
UNREADABLE: Final = "the shared ledger is unreadable"
UNWRITABLE: Final = "the ledger cannot be written"


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
        if lock := git_lock.in_the_way(self, errors):
            return LockedError(why, lock)
        return git_push.failure(why, reason(errors) or f"git ended with {done.returncode}")

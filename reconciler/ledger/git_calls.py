"""Runs git for the shared ledger. Every failure is a `LedgerError` that says what to do, or a lost race.

If a remote did not take a push, another run pushed first, or the remote refuses it and says why. Only the first is
tried again. The texts are git's own (`send-pack.c`, `builtin/receive-pack.c`), in English because git runs with
`LC_ALL=C`, and those of GitHub and GitLab.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from reconciler.errors import LedgerError
from reconciler.ledger.shared import ConflictError, LockedError, UnreachableError
from reconciler.text.sanitize import clean
from reconciler.vcs.git_process import Answer, GitUnavailableError, Repository, reason

TIMEOUT_SECONDS: Final = 120
UNREADABLE: Final = "the shared ledger is unreadable"
UNWRITABLE: Final = "the ledger cannot be written"
_PASSES: Final = re.compile(
    r"(?i)could not resolve host|timed out|connection (reset|refused)|failed to connect|unreachable|early eof"
    r"|hung up unexpectedly|returned error: (429|5\d\d)"
)
_IN_THE_WAY: Final = re.compile(r"(remote: )?.*Unable to create '(.+\.lock)': File exists")
MAX_LENGTH: Final = 300
"""Characters shown of the remote's words."""

_WORDS: Final = re.compile(r"remote: *(?:(?:error|fatal|ERROR): *)?(.*)")
_STATUS: Final = re.compile(r"^!\t[^\t]*\t\[(rejected|remote rejected)\] \((.*)\)$", re.MULTILINE)
_RACE: Final = re.compile(
    r"^(fetch first|non-fast-forward|stale info|already exists|needs force|remote ref updated since checkout"
    r"|failed to update ref|cannot lock ref|incorrect old value provided|reference already exists)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerGit:
    """Git in a clone, and one remote of it."""

    repository: Repository
    remote: str
    credentials: Mapping[str, str]
    """Environment variables for the commands that contact the remote."""
    now: Callable[[], float]
    """Wall clock, Unix seconds."""

    def text(
        self, *arguments: str, why: str, data: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> str:
        """Return the output of a command. An error begins with `why`.

        Raises `LedgerError` if the command failed, or (`LockedError`) a lock file of git is in the way.
        """
        done = self.run(*arguments, data=data, extra=extra)
        if done.returncode:
            raise self.error(why, done)
        return done.stdout.decode("utf-8", "replace")

    def run(
        self, *arguments: str, data: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> Answer:
        """Return a finished command, which may have failed. Raises `LedgerError` if git cannot be run."""
        try:
            return self.repository.run(*arguments, data=data, extra=extra, timeout_seconds=TIMEOUT_SECONDS)
        except GitUnavailableError as error:
            what = f"the shared ledger in the remote {self.remote} needs git: {error}"
            raise LedgerError(what, hint=error.hint) from error

    def error(self, why: str, done: Answer) -> LedgerError:
        """Return the error for a command that failed."""
        errors = done.stderr.decode("utf-8", "replace")
        failure = _failure(why, reason(errors) or f"git ended with {done.returncode}")
        if _PASSES.search(errors):
            return UnreachableError(str(failure), hint=failure.hint)
        return self.locked(why, errors) or failure

    def locked(self, why: str, errors: str) -> LockedError | None:
        """Return the error for a lock file, if git's stderr names one as the reason."""
        match = _IN_THE_WAY.search(errors)
        if match is None:
            return None
        if match[1]:
            return LockedError(
                f"{why}: git's lock file {Path(match[2])} of the remote {self.remote} is in the way",
                hint=f"if no git command is running in the repository of {self.remote}, delete the file there, or ask "
                "its administrator to delete it",
            )
        root = self.repository.folder
        path = root / match[2]
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        return LockedError(
            f"{why}: git's lock file {name} is in the way",
            hint=f"if no git command is running, delete it: rm {shlex.quote(str(path))}",
        )


class _Refusal(Struct, frozen=True, forbid_unknown_fields=True):
    pattern: str
    """Found in the remote's words or in the status of the push, in any case."""
    what: str
    hint: str


_REFUSALS: Final = Path(__file__).with_name("push_refusals.json")
"""The kinds of refusal; the first whose pattern is found applies."""


def explain_push(output: str, errors: str, *, ref: str) -> ConflictError | LedgerError:
    """Return the error for a failed `push --porcelain` to a ref, from git's stdout and stderr."""
    where, status = next(iter(_STATUS.findall(output)), ("", ""))
    if where == "rejected":  # by this git, which compares the ref before it pushes
        return ConflictError(status)
    words = [found[1].strip() for line in errors.splitlines() if (found := _WORDS.match(line))]
    said = "; ".join(filter(None, words)) or status or reason(errors)
    said = clean(said if len(said) <= MAX_LENGTH else said[:MAX_LENGTH] + "…")
    for refusal in msgspec.json.decode(_REFUSALS.read_bytes(), type=tuple[_Refusal, ...]):
        if re.search(refusal.pattern, f"{said}\n{status}", re.IGNORECASE):
            return LedgerError(
                f"the ledger cannot be pushed: {refusal.what.format(ref=ref)}: {said}",
                hint=f"no job was created; {refusal.hint.format(ref=ref)}, or use --local-ledger with weaker "
                "duplicate protection",
            )
    if _RACE.match(status):
        return ConflictError(said)
    return _failure("the ledger cannot be pushed", said)


def _failure(why: str, said: str) -> LedgerError:
    """Return the error for a command of git that failed for a reason of which nothing more is known."""
    return LedgerError(
        f"{why}: {said}",
        hint="no job was created; check the remote and its credentials (`git ls-remote`), or use --local-ledger "
        "with weaker duplicate protection",
    )

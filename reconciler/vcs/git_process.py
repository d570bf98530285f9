"""Run git. No other module starts it.

The files of a checkout may be hostile, and git runs programs that settings of a repository name. So the repository is
the `.git` found here, never one that git finds: to git, any folder with `HEAD`, `objects` and `refs` is a repository.
Hooks, the file system monitor and the transport `ext` are off. Git and its helpers never come from the repository or
the current folder. Git gets no key; only the ledger's calls get a token, for the server that it is for.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from reconciler.child_environment import child_environment
from reconciler.errors import ReconcilerError
from reconciler.model import Checkout
from reconciler.text.sanitize import clean

Answer: TypeAlias = subprocess.CompletedProcess[bytes]

SETTINGS: Final = (
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "protocol.ext.allow=never",
    "log.showSignature=false",
)
QUIET: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_ASIDE: Final = ("warning:", "hint:")
"""Prefixes of git's lines that are not the reason for a failure; the first other line is."""
_PROGRAM: Final = "git.exe" if os.name == "nt" else "git"


class GitUnavailableError(ReconcilerError):
    """Git cannot be asked, so nothing is known. That is not the answer no."""


class UntrustedError(GitUnavailableError):
    """Git refuses to work, because the repository belongs to another user."""


def search_path(top: Path) -> list[str]:
    """Return the folders of PATH outside of `top` and of the current folder; no relative one is among them."""
    away = {Path(os.path.realpath(top))}
    with suppress(OSError):  # the current folder was deleted
        away.add(Path(os.path.realpath(Path.cwd())))

    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [entry for entry in entries if Path(entry).is_absolute() and not _around(entry) & away]


@cache
def _around(entry: str) -> frozenset[Path]:
    """Return a folder and those that it is in, except the root of the file system, which has everything in it."""
    path = Path(os.path.realpath(entry))
    return frozenset({path, *path.parents} - {Path(path.anchor)})


def program(folders: Iterable[str]) -> str:
    """Return the absolute path of git in the first of these folders that has it.

    Raises `GitUnavailableError` if none has it.
    """
    for folder in folders:
        path = Path(folder, _PROGRAM)
        if os.access(path, os.X_OK) and path.is_file():  # in this order: a folder may be unreadable
            return str(path)
    raise GitUnavailableError(
        "git is not installed: PATH has none outside of the project and of the current folder",
        hint="install git, or correct PATH",
    )


def installed(top: Path) -> bool:
    """Return whether PATH has a git that may be used."""
    with suppress(GitUnavailableError):
        return bool(program(search_path(top)))
    return False


class Repository(Struct, frozen=True, kw_only=True):
    """A repository with a work tree, and a folder of it in which git runs."""

    top: Path
    """The folder with `.git`."""
    folder: Path
    chosen: Mapping[str, str]
    """The variables that choose the repository."""

    @classmethod
    def find(cls, folder: Path) -> Repository | None:
        """Return the repository that contains a folder, None if there is none."""
        here = Path(os.path.realpath(folder))
        for top in (here, *here.parents):
            if os.path.lexists(top / ".git"):
                chosen = {"GIT_DIR": str(top / ".git"), "GIT_WORK_TREE": str(top)}
                return cls(top=top, folder=here, chosen=chosen)
        return None

    def head(self) -> Checkout:
        """Return the commit and its branch, empty before the first commit, and whether the clone is shallow.

        Git has to find the repository itself: only then does it check the owner. Raises `GitUnavailableError` if git
        cannot be asked about this repository.
        """
        chosen = {"GIT_CEILING_DIRECTORIES": str(self.top.parent)}
        asked = ("--is-shallow-repository", "--git-dir", "HEAD^{commit}", "--symbolic-full-name", "HEAD")
        done = replace(self, folder=self.top, chosen=chosen).run("rev-parse", *asked)
        shallow, _, rest = done.stdout.decode("utf-8", "replace").removesuffix("\n").partition("\n")
        if not rest or rest.startswith(".\n"):  # the second: a bare repository around `.git`
            raise self.failure(done)
        if done.returncode:
            return Checkout()
        _, commit, ref = rest.rsplit("\n", 2)
        branch = ref.removeprefix("refs/heads/") if ref != "HEAD" else ""
        return Checkout(commit=commit, branch=branch, shallow=shallow == "true")

    def run(
        self,
        *arguments: str,
        data: bytes | None = None,
        extra: Mapping[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> Answer:
        """Run git in the folder with `data` as its input and `extra` in its environment.

        Raises `GitUnavailableError` if git is not installed, cannot be started, or did not end in time.
        """
        folders = search_path(self.top)
        command = [program(folders), *(word for setting in SETTINGS for word in ("-c", setting)), *arguments]
        path = {"PATH": os.pathsep.join(folders)}
        try:
            return subprocess.run(  # noqa: S603  no shell, and no argument from outside begins with a dash
                command,
                cwd=self.folder,
                env={**child_environment(os.environ), **path, **QUIET, **self.chosen, **(extra or {})},
                input=b"" if data is None else data,
                capture_output=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            what = f"git {arguments[0]} did not answer within {timeout_seconds:g} s"
            raise GitUnavailableError(what, hint="check the remote, then run again") from error
        except OSError as error:
            raise GitUnavailableError(f"git cannot be run: {error.strerror}", hint="check PATH") from error

    def failure(self, done: Answer) -> GitUnavailableError:
        """Return the error for a command that cannot fail in a sound repository."""
        errors = done.stderr.decode("utf-8", "replace")
        if "dubious ownership" in errors:
            return UntrustedError(
                f"git does not trust {self.top}: it belongs to another user",
                hint=f"git config --global --add safe.directory {self.top}",
            )
        said = clean(reason(errors)) or "it gives no reason"
        return GitUnavailableError(f"git fails in {self.top}: {said}", hint="repair the repository")


def reason(errors: str) -> str:
    """Return the line of git's stderr that says why a command failed, "" if there is none."""
    lines = (line for line in errors.splitlines() if line.strip())
    return next((line for line in lines if not line.lower().startswith(_ASIDE)), "")

"""Ask git for the checked-out commit, the files that differ from it, and the commits that it contains.

This module runs git's command line and only reads. Outside of a checkout, or without git, every answer is empty and
nothing fails. Jobs then carry no commit, and this tool does not stop a job that carries one.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model import Ancestry, Checkout
from reconciler.model.commit import Commit
from reconciler.text.sanitize import clean
from reconciler.vcs import git_process
from reconciler.vcs.git_process import GitUnavailableError, Repository, UntrustedError

MAX_COMMITS_PER_CALL: Final = 32
"""For more commits, one call reads the whole history."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}").fullmatch
"""A full commit hash. A job's tag may have any text, and git would also accept `HEAD` or the name of a branch."""
_LOGGED: Final = re.compile(r"([0-9a-f]{40,64})\0([0-9]+)\0([^\0]*)\0([^\0]*)\0(?:\n([^\0]*)\0)?")
"""A commit in the output of `git log -z --name-only` as `commits_of` asks for it."""
_PATHS: Final = ("-z", "--no-renames", "--name-only", "--relative")
"""What makes `diff` and `log` list paths of the root."""


class Reach(Struct, frozen=True, kw_only=True):
    """Commits that the repository does not have, and commits that no branch or tag of it contains."""

    missing: frozenset[str] = frozenset()
    unreachable: frozenset[str] = frozenset()


class Git:
    """What git knows about the project root. HEAD is read once; outside of a repository no process starts."""

    def __init__(self, root: Path) -> None:
        self.root: Final = root

    @cached_property
    def repository(self) -> Repository | None:
        """The repository that contains the root, None if there is none."""
        return Repository.find(self.root)

    @cached_property
    def _head(self) -> Checkout | GitUnavailableError:
        if self.repository is None:
            return Checkout()
        try:
            return self.repository.head()
        except GitUnavailableError as error:
            return error

    def checkout(self, spec_root: Path) -> Checkout:
        """Return the checked-out commit, its branch, and the files that differ from it.

        An untracked file counts as a difference only below the folder of the specs. Raises `UntrustedError` if git
        refuses to work, because the folder belongs to another user.
        """
        head = self._head
        if isinstance(head, UntrustedError):
            raise head
        if isinstance(head, GitUnavailableError) or not head.commit:
            return Checkout(root=self.below)
        return replace(head, root=self.below, uncommitted=self.uncommitted(spec_root))

    @property
    def below(self) -> str:
        """The path of the root from the repository's root, with forward slashes; "" at it and outside of git."""
        path = self.repository.folder.relative_to(self.repository.top) if self.repository else Path()
        return path.as_posix() if path.parts else ""

    def uncommitted(self, spec_root: Path) -> frozenset[str]:
        """Return the files that differ from the commit, relative to the root.

        Untracked files count only among the specs: a saved plan does not make a checkout dirty.
        """
        asked = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", ".")
        prefix = f"{self.below}/" if self.below else ""
        specs = f"{spec_root.relative_to(self.root).as_posix()}/" if spec_root != self.root else ""
        rows = ((row[:2], row[3:].removeprefix(prefix)) for row in _rows(self._git(*asked)))
        return frozenset(
            path
            for state, path in rows
            if not path.startswith(".reconciler/") and (state != "??" or path.startswith(specs))
        )

    @property
    def shallow(self) -> bool:
        """Whether the clone does not know its ancestors."""
        return isinstance(self._head, Checkout) and self._head.shallow

    def toplevel(self) -> Path | None:
        """Return the root of the repository, None outside of git."""
        return self.repository.top if self.repository else None

    def origin(self) -> str:
        """Return the URL of the remote `origin`, "" if there is none."""
        return (self._git("config", "-z", "--get", "remote.origin.url") or "").removesuffix("\0")

    def branch(self, ref: str) -> str:
        """Return the branch that is the target of HEAD or refs/remotes/origin/HEAD, "" if there is none."""
        return (self._git("symbolic-ref", "--short", ref) or "").removeprefix("origin/")

    def pushed(self) -> bool:
        """Return whether a remote-tracking branch contains HEAD, as far as the clone knows."""
        return bool(self._git("for-each-ref", "--count=1", "--contains=HEAD", "refs/remotes"))

    def changed_since(self, base: str) -> tuple[str, ...] | None:
        """Return the files below the root that changed since HEAD left the commit `base`, None if git cannot say."""
        listed = self._git("diff", *_PATHS, f"{base}...HEAD", "--") if _COMMIT(base) else None
        return None if listed is None else _rows(listed)

    def commits_since(self, base: str) -> frozenset[str]:
        """Return the commits that HEAD contains and the commit `base` does not; none if git cannot say."""
        listed = self._git("rev-list", f"{base}..HEAD", "--") if _COMMIT(base) else ""
        return frozenset((listed or "").split())

    def remotes(self) -> tuple[str, ...]:
        """Return the names of the remotes."""
        return tuple((self._git("remote") or "").split("\n"))

    def tracked(self, folder: str) -> bool:
        """Return whether git tracks any file below what a glob matches, or that itself as a link, ignoring case.

        Raises `GitUnavailableError` if git cannot be asked.
        """
        if self.repository is None:  # without git, a checkout may have no `.git`
            git_process.program(git_process.search_path(self.root))
            return False
        if isinstance(self._head, GitUnavailableError):
            raise self._head
        done = self.repository.run("ls-files", "-z", "--", f":(icase,glob){folder}")
        if done.returncode:
            raise self.repository.failure(done)
        return bool(done.stdout)

    def tracked_named(self, name: str) -> tuple[Path, ...]:
        """Return the tracked files of a name in all folders of the repository; none if git cannot be asked."""
        listed = self._git("ls-files", "-z", "--full-name", "--", f":(top,glob)**/{name}")
        return tuple((self.toplevel() or self.root) / path for path in _rows(listed))

    def quotable(self, path: str) -> bool:
        """Return whether a path of the root is a file that is no link and, in a repository, one that git tracks."""
        here = Path(os.path.realpath(self.root))
        if Path(os.path.realpath(here / path)) != here / path:
            return False
        return self.repository is None or (
            self._git("ls-files", "-s", "-z", "--", f":(literal){path}") or ""
        ).startswith("100")

    def ancestry(self, commits: Iterable[str]) -> Ancestry:
        """Return which of the commits HEAD contains, and which contain HEAD, as far as the clone has them.

        A shallow clone does not know its ancestors: a commit it lacks is not contained.
        """
        asked = frozenset(filter(_COMMIT, commits))
        if isinstance(self._head, GitUnavailableError) or not self._head.commit:
            return Ancestry()
        if len(asked) > MAX_COMMITS_PER_CALL:
            older = asked & frozenset((self._git("rev-list", "HEAD") or "").split())
        else:
            older = frozenset(it for it in asked if self._is_ancestor(it, "HEAD"))
        younger = frozenset(it for it in asked - older if self._is_ancestor("HEAD", it))
        return Ancestry(contained=older, descendants=younger)

    def reachable(self, commits: Iterable[str]) -> Reach:
        """Return which of the commits the repository has lost, or may lose. Outside of git the answer is empty."""
        asked = frozenset(commit for commit in commits if commit.isalnum())
        there = self._git("rev-list", "--all", "HEAD")
        if not asked or there is None:
            return Reach()
        lost = asked - frozenset(there.split())
        missing = frozenset(it for it in lost if self._git("cat-file", "-e", f"{it}^{{commit}}") is None)
        return Reach(missing=missing, unreachable=lost - missing)

    def user_name(self) -> str:
        """Return `user.name` of git's configuration, "" if there is none."""
        return self._git("config", "user.name") or ""

    def export(self, commit: str, folder: Path) -> bool:
        """Write the project at a commit into a folder. Return False if git cannot."""
        import tarfile  # noqa: PLC0415 - few commands need it

        data = self._output("archive", "--format=tar", commit) if commit.isalnum() else None
        if data is None:
            return False
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, tarfile.TarError):  # such as a link out of the project
            return False
        return True

    def commits_of(self, files: Iterable[str]) -> tuple[Commit, ...]:
        """Return the commits that changed files of the root, renames included, the newest first; each once."""
        found: dict[str, Commit] = {}
        for file in files:
            form = "--format=%H%x00%at%x00%an%x00%s"
            listed = self._git("log", "-z", "--follow", "--name-only", "--relative", form, "--", file)
            for commit, at, author, subject, path in _LOGGED.findall(listed or ""):
                words = {"author": clean(author), "subject": clean(subject), "path": clean(path or file)}
                found.setdefault(commit, Commit(id=commit, at=int(at), **words))
        return tuple(sorted(found.values(), key=lambda commit: -commit.at))

    def files_declaring(self, name: str, *, below: str) -> tuple[str, ...]:
        """Return the files below a folder of the root with the line `name: <name>` in any commit.

        Jobs of a family have no such line.
        """
        line = f"""^(- )?name:[ \t]*["']?{name.replace(".", "[.]")}["']?[ \t]*(#.*)?$"""
        listed = self._git("log", f"-G{line}", *_PATHS, "--format=", "--", below)
        return tuple(dict.fromkeys(_rows(listed)))

    def _is_ancestor(self, older: str, younger: str) -> bool:
        return self._git("merge-base", "--is-ancestor", older, younger) is not None

    def _git(self, *arguments: str) -> str | None:
        """Return git's output as text, None if it fails or is not installed."""
        output = self._output(*arguments)
        return None if output is None else output.decode("utf-8", "replace").rstrip("\n")

    def _output(self, *arguments: str) -> bytes | None:
        if self.repository is None or isinstance(self._head, GitUnavailableError):
            return None
        with suppress(GitUnavailableError):
            done = self.repository.run(*arguments)
            return None if done.returncode else done.stdout
        return None


def _rows(listed: str | None) -> tuple[str, ...]:
    """Return the rows of what git lists with `-z`; none if git cannot say."""
    return tuple(filter(None, (listed or "").split("\0")))

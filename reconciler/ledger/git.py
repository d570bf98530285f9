"""The shared ledger: a branch in the repository's remote, one for each project. It needs no server.

The push is both the lock and the record. A run fetches the branch, plans from it, and pushes its intents in one commit
before it creates jobs. A push that is not a fast-forward means that another run wrote meanwhile: the run fetches and
plans again. Outcomes follow in one commit afterwards. Pushes are never forced, so the branch is the audit log.

A push adds one file, in the folder of its month, and changes no other file. So it costs the same after years, and the
names of files show whether the past was changed.

The work tree is not touched, and a shallow clone is enough. Everything is done with the git command line. These
commands write, and so create lock files: `fetch` and `update-ref` in this clone, `push` in the
remote's repository. A commit is made with a temporary index. FETCH_HEAD and git's settings are not written, and `fetch`
starts no maintenance.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.errors import LedgerError
from reconciler.ledger import git_files
from reconciler.ledger.git_calls import UNREADABLE, LedgerGit, explain_push
from reconciler.ledger.line_format import decode_block
from reconciler.ledger.lines import Line
from reconciler.ledger.shared import ConflictError

BRANCHES: Final = "reconciler-ledger"
"""The branches are below it, so that one rule of the remote can protect them all."""
VERIFIED: Final = "verified"
"""The file on this host with the last commit up to which no line was removed. No remote can write it."""
README: Final = """\
# The ledger of {project}

`reconciler` (mistral-batch-reconciler) writes this branch: intended creates and cancels of batch jobs, and their
outcomes. Do not edit, rebase, merge or delete the branch: the tool could then submit work a second time.

A rule of the server should protect `reconciler-ledger/*` from force-pushes and deletion.
"""
_LOCAL: Final = "refs/reconciler"
_ABSENT: Final = re.compile(rb"(?i)couldn't find remote ref")
_NOT_FETCHED: Final = "the ledger cannot be fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLedger:
    """One target's lines in the project's branch."""

    git: LedgerGit
    project: str
    """It names the branch."""
    folder: str
    """The target's folder inside the branch."""
    state: Path
    """The target's folder on this host."""

    @property
    def branch(self) -> str:
        """The name of the branch."""
        return f"{BRANCHES}/{self._name}"

    @property
    def ref(self) -> str:
        """The branch in the remote."""
        return f"refs/heads/{self.branch}"

    @property
    def _name(self) -> str:
        """The project's name without the dots that git allows in no ref."""
        return re.sub(r"\.(?=\.|lock$|$)", "%2e", self.project)

    def _own(self, what: str) -> str:
        """Return a ref of this clone.

        `incoming` is the fetched commit, until it is compared with `fetched`, the one that was fetched or pushed last.
        Below `lost` are commits that the branch no longer contains: the proof that it was rewritten. Below `accepted`
        are those of them whose loss a person accepted.
        """
        return f"{_LOCAL}/{self._name}/{what}"

    def fetch(self) -> str:
        """Fetch the branch and return its commit, "" if it does not exist yet.

        Raises `LedgerError` if the remote cannot be reached, the branch is not a ledger, or (`LockedError`) a lock file
        of git is in the way.
        """
        before, tip = self.fetched(), self._fetch()
        if tip and not before and not self._is_ledger(tip):
            raise LedgerError(
                f"the branch {self.branch} of {self.git.remote} is not a ledger: this tool made no commit of it",
                hint="nothing was created; a ledger needs this name: rename that branch in the remote, or delete it",
            )
        if before and tip != before and not self._continues(tip, before):
            why = "the commit that the shared ledger lost cannot be kept as proof"
            self.git.text("update-ref", self._own(f"lost/{before[:12]}"), before, why=why)
        if tip != before:
            change = (self._own("fetched"), tip) if tip else ("-d", self._own("fetched"))
            self.git.text("update-ref", *change, why=_NOT_FETCHED)
        return tip

    def _continues(self, tip: str, before: str) -> bool:
        """Whether a commit has the history and the lines of the one before."""
        inside = self.contains(tip, before)
        return inside and not git_files.changed_past(self.git, tip, self.folder, since=before)

    def _fetch(self) -> str:
        """Fetch the branch whole, also into a clone that left out other branches, commits or files."""
        incoming = self._own("incoming")
        partial = not self.git.run("config", "--get", f"remote.{self.git.remote}.promisor").returncode
        done = self.git.run(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", *(("--no-filter", "--refetch") if partial else ()),
            self.git.remote, f"+{self.ref}:{incoming}", extra=self.git.credentials,
        )  # fmt: skip
        if done.returncode and _ABSENT.search(done.stderr):
            return ""
        if done.returncode:
            raise self.git.error(f"the ledger cannot be fetched from {self.git.remote}", done)
        return self.git.text("rev-parse", "--verify", incoming, why=_NOT_FETCHED).strip()

    def _is_ledger(self, tip: str) -> bool:
        by_us = ("--fixed-strings", f"--author={git_files.EMAIL}")
        return bool(self.git.text("rev-list", "-1", *by_us, tip, "--", why=UNREADABLE))

    def fetched(self) -> str:
        """Return the branch's commit at the last fetch or push, "" if there was none. Does not contact the remote."""
        done = self.git.run("rev-parse", "--verify", "--quiet", self._own("fetched"))
        return "" if done.returncode else done.stdout.decode().strip()

    def contains(self, tip: str, commit: str) -> bool:
        """Return whether a commit is `tip` or in its past; False also if this clone does not have it."""
        return git_files.contains(self.git, tip, commit)

    def missed(self, *below: str) -> tuple[str, ...]:
        """Return the commits that this clone knew and that the branch, or some of its lines, lost since."""
        refs = ("--format=%(objectname)", *(below or (self._own("lost"),)))
        return tuple(self.git.text("for-each-ref", *refs, why="the refs are unreadable").split())

    def accept_rewrite(self) -> None:
        """Miss those commits no longer. `history verify` still reports them.

        Raises `LedgerError` if git cannot write the refs.
        """
        for commit in self.missed():
            short, why = commit[:12], "the rewrite cannot be accepted"
            self.git.text("update-ref", self._own(f"accepted/{short}"), commit, why=why)
            self.git.text("update-ref", "-d", self._own(f"lost/{short}"), why=why)

    def problems_in_the_past(self, tip: str, *, offline: bool = False) -> list[str]:  # noqa: ARG002 - a clone has all
        """Return what is wrong with the history of the branch up to a commit: removed lines and rewritten commits.

        Commits are read from the last one up to which this host found no removed line.
        """
        changed = self._changed_past(tip) if tip else ""
        removed = [f"commit {changed[:10]} of the shared ledger removed lines"] if changed else []
        return removed + [
            f"the shared ledger's history was rewritten: it no longer contains {lost[:10]}, which this clone has"
            for lost in self.missed(self._own("lost"), self._own("accepted"))
            if not self.contains(tip, lost)
        ]

    def _changed_past(self, tip: str) -> str:
        path, since = self.state / VERIFIED, ""
        with suppress(OSError):
            since = file_access.read(path).decode(errors="replace")
        changed = git_files.changed_past(self.git, tip, self.folder, since=since)
        if not changed:
            with suppress(OSError):  # the next time begins earlier
                file_access.make_folder(self.state)
                file_access.replace(path, tip.encode())
        return changed

    def blocks(self, tip: str) -> Iterator[bytes]:
        """Yield the lines at a commit, in blocks of whole lines, the oldest first."""
        return git_files.blocks(self.git, tip, self.folder) if tip else iter(())

    def read(self, tip: str) -> Iterator[Line]:
        """Yield the lines at a commit."""
        return chain.from_iterable(map(decode_block, self.blocks(tip)))

    def locate(self, tip: str, texts: Collection[str]) -> dict[str, str]:
        """Return `branch:file:line` of lines at a commit, by their text."""
        found = git_files.locate(self.git, tip, self.folder, texts)
        return {text: f"{self.branch}:{place}" for text, place in found.items()}

    def push(self, tip: str, rows: Sequence[bytes], *, message: str) -> str:
        """Add the text of lines in one commit on top of `tip`, and return the new commit.

        `tip` is the fetched commit, "" if the branch does not exist yet. Raises `ConflictError` if another run pushed
        first: fetch, and plan again; `LockedError` if a lock file of git is in the way, in the remote's repository;
        `LedgerError` if it cannot be pushed.
        """
        data = b"".join(row + b"\n" for row in rows)
        place = time.strftime("%Y-%m/%dT%H%M%SZ", time.gmtime(self.git.now()))
        files = {f"{self.folder}/{place}-{hashlib.sha256(data).hexdigest()[:12]}.jsonl": data}
        if not tip:
            files["README.md"] = README.format(project=self.project).encode()
        commit = git_files.commit(self.git, tip, files, message=f"{message} [skip ci]")
        self._push(commit)
        # The push succeeded; if this fails, the next fetch reports it.
        self.git.run("update-ref", self._own("fetched"), commit)
        return commit

    def check_push(self) -> str:
        """Raise `LedgerError` if `git push --dry-run` fails. It asks no hook and no rule of the remote."""
        with suppress(ConflictError):  # another run has pushed since the fetch, so it is possible
            self._push(self.fetch() or "HEAD", "--dry-run")
        allowed = f"{self.git.remote} lets this runner push (`git push --dry-run`)"
        return f"{allowed}; its rules and hooks were not asked"

    def _push(self, commit: str, *options: str) -> None:
        wanted = (*options, self.git.remote, f"{commit}:{self.ref}")
        done = self.git.run("push", "--quiet", "--porcelain", *wanted, extra=self.git.credentials)
        if not done.returncode:
            return
        output, errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        locked = self.git.locked("the ledger cannot be pushed", errors)
        raise locked or explain_push(output, errors, ref=self.ref)

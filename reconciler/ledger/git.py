"""The ledger shared without a server: a ref of the repository's remote, pushed to like any other.

The push is lock and memory at once. A run fetches the ref, plans on what it says, and pushes its intents in one
commit before it buys; a push that is not a fast-forward means that another run wrote meanwhile: fetch and plan
again. Outcomes follow in one commit after. Nothing is ever forced, so the ref's history is the audit log. No work
tree is touched, and a shallow clone will do. Git's own command line does it all.

These commands write, and so make lock files (`ledger.git_lock`): `fetch` and `update-ref` in this clone, `push` in the
remote's repository. The index that a commit is made with is a temporary file. FETCH_HEAD and git's settings are not
written, and `fetch` starts no maintenance.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import LedgerError
from reconciler.ledger.git_lock import Lock, LockedError, Locks
from reconciler.ledger.lines import Line, decode, encode
from reconciler.vcs import git_environment

REF: Final = "refs/reconciler/ledger"
INCOMING: Final = "refs/reconciler/incoming"
"""What this clone is fetching, until it is compared with what it knew."""
TRACKING: Final = "refs/reconciler/fetched"
"""Where this clone remembers what it fetched or pushed last."""
LOST: Final = "refs/reconciler/lost"
"""Below it this clone keeps what it knew and the ref no longer contains: the proof that its past was changed."""
TIMEOUT_SECONDS: Final = 120
_ASIDE: Final = ("warning:", "hint:")
"""How lines of git begin that do not say why it failed; of the others the first does."""

IDENTITY: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "reconciler", "EMAIL": "reconciler@localhost"}.items()
}


class RacedError(Exception):
    """Another run pushed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLedger:
    """One target's lines in the shared ref.

    Args:
        repository: a folder of the clone.
        remote: the remote's name.
        folder: the target's folder inside the ref's tree.
        environ: the process's environment.
        now: wall clock, Unix seconds.
    """

    repository: Path
    remote: str
    folder: str
    environ: Mapping[str, str]
    now: Callable[[], float]

    def fetch(self) -> str:
        """Fetch the ref and return its commit, "" where nobody has written yet.

        Raises:
            LedgerError: the remote cannot be reached, or (`LockedError`) a lock file of git is in the way.
        """
        told = self._git("ls-remote", self.remote, REF, why=f"the remote {self.remote} cannot be reached")
        tip = told.split("\t")[0]
        before = self.fetched()
        if tip:
            self._git(
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", self.remote,
                f"+{REF}:{INCOMING}", why="the ledger cannot be fetched",
            )  # fmt: skip
            tip = self._git("rev-parse", "--verify", INCOMING, why="the ledger was not fetched").strip()
        if before and not self._contains(tip, before):
            why = "the proof that the shared ledger's history was rewritten cannot be kept"
            self._git("update-ref", f"{LOST}/{before[:12]}", before, why=why)
        if before and not tip:
            self._git("update-ref", "-d", TRACKING, why="the ledger cannot be fetched")
        elif tip not in ("", before):
            self._git("update-ref", TRACKING, tip, why="the ledger cannot be fetched")
        return tip

    def past(self, tip: str) -> list[str]:
        """Return what is wrong with the past of the ref as of a commit: what was taken away or rewritten."""
        changed = self.changed_past(tip) if tip else ""
        taken = [f"commit {changed[:10]} of the shared ledger took lines away"] if changed else []
        return taken + [
            f"the shared ledger's history was rewritten: it no longer contains {lost[:10]}, which this clone knew"
            for lost in self.lost(tip)
        ]

    def _contains(self, tip: str, commit: str) -> bool:
        return bool(tip) and self._run("merge-base", "--is-ancestor", commit, tip).returncode == 0

    def lost(self, tip: str) -> tuple[str, ...]:
        """Return the commits that this clone once fetched or pushed and that `tip` does not contain."""
        told = self._git("for-each-ref", "--format=%(objectname)", LOST, why="the refs are unreadable")
        return tuple(commit for commit in told.split() if not self._contains(tip, commit))

    def fetched(self) -> str:
        """Return the ref's commit at the last fetch or push, "" if there was none; the remote is not asked."""
        done = self._run("rev-parse", "--verify", "--quiet", TRACKING)
        return "" if done.returncode else done.stdout.decode().strip()

    def rows(self, tip: str) -> tuple[str, ...]:
        """Return the lines' text as of a commit, the oldest first."""
        if not tip:
            return ()
        names = self._git(
            "ls-tree", "-r", "-z", "--name-only", tip, "--", f"{self.folder}/", why="the ledger is unreadable"
        )
        texts = [
            self._git("cat-file", "blob", f"{tip}:{name}", why="the ledger is unreadable")
            for name in sorted(filter(None, names.split("\0")))
        ]
        return tuple(row for text in texts for row in text.split("\n") if row)

    def read(self, tip: str) -> tuple[Line, ...]:
        """Return the lines as of a commit.

        Raises:
            LedgerError: a newer version of this tool wrote some.
        """
        return tuple(line for row in self.rows(tip) if (line := decode(row)) is not None)

    def push(self, tip: str, lines: Sequence[Line], *, part: str, message: str) -> str:
        """Add lines in one commit on top of `tip`, and return the new commit.

        Args:
            tip: what was fetched, "" where the ref does not exist yet.
            lines: what to add; those that stand there already are not added again.
            part: the file's name, such as the month, so that files stay small.
            message: the commit's message.

        Raises:
            RacedError: the remote has moved on: fetch, and plan again.
            LockedError: a lock file of git is in the way, in the remote's repository.
            LedgerError: it cannot be pushed.
        """
        known = set(self.rows(tip))
        new = [row for row in dict.fromkeys(map(encode, lines)) if row not in known]
        if not new:
            return tip
        commit = self._commit(tip, new, path=f"{self.folder}/{part}.jsonl", message=message)
        done = self._run("push", "--quiet", "--porcelain", self.remote, f"{commit}:{REF}")
        if done.returncode:
            error = self._error("the ledger cannot be pushed", done)
            told = done.stdout.decode("utf-8", "replace")
            if not isinstance(error, LockedError) and any(it.startswith("!") for it in told.splitlines()):
                raise RacedError(told)
            raise error
        self._run(
            "update-ref", TRACKING, commit
        )  # what is pushed is pushed; the next fetch says what is wrong
        return commit

    def locks(self) -> tuple[Lock, ...]:
        """Return the lock files of git that this ledger finds in its way, now or when it will write.

        Raises:
            LedgerError: git cannot be run.
        """
        return self._locks.found(ours=TRACKING.rpartition("/")[0], theirs=REF)

    @property
    def _locks(self) -> Locks:
        return Locks(root=self.repository, remote=self.remote, now=self.now, run=self._run)

    def _commit(self, tip: str, rows: Sequence[str], *, path: str, message: str) -> str:
        """Make a commit out of objects alone: neither index nor work tree of the clone takes part."""
        why = "the ledger cannot be written"
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            before = ""
            if tip:
                self._git("read-tree", tip, why=why, extra=index)
                found = self._run("cat-file", "blob", f"{tip}:{path}")
                before = found.stdout.decode() if found.returncode == 0 else ""
            data = (before + "".join(f"{row}\n" for row in rows)).encode()
            blob = self._git("hash-object", "-w", "--stdin", why=why, data=data).strip()
            entry = f"100644,{blob},{path}"
            self._git("update-index", "--add", "--cacheinfo", entry, why=why, extra=index)
            tree = self._git("write-tree", why=why, extra=index).strip()
        parents = ("-p", tip) if tip else ()
        return self._git("commit-tree", tree, *parents, "-m", message, why=why, extra=IDENTITY).strip()

    def changed_past(self, tip: str) -> str:
        """Return the first commit of the ref that took something away, "" where the past is whole."""
        history = self._git("rev-list", "--reverse", tip, why="the ledger's history is unreadable").split()
        before: tuple[str, ...] = ()
        for commit in history:
            rows = self.rows(commit)
            if not set(before) <= set(rows):
                return commit
            before = rows
        return ""

    def _git(
        self,
        *arguments: str,
        why: str,
        data: bytes | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> str:
        done = self._run(*arguments, data=data, extra=extra)
        if done.returncode:
            raise self._error(why, done)
        return done.stdout.decode("utf-8", "replace")

    def _run(
        self, *arguments: str, data: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603  no shell; refs, remotes and paths come from settings and git
                ["git", *arguments],  # noqa: S607  git is where PATH says
                cwd=self.repository,
                env=git_environment.environ(self.environ) | dict(extra or {}),
                input=data,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise LedgerError(
                "`ledger: git` needs git, and it is not installed",
                hint="install git, or set `ledger: local`",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise LedgerError(
                f"git did not answer within {TIMEOUT_SECONDS} s", hint="check the remote, then run again"
            ) from error

    def _error(self, why: str, done: subprocess.CompletedProcess[bytes]) -> LedgerError:
        output = done.stderr.decode("utf-8", "replace")
        if lock := self._locks.in_the_way(output):
            return LockedError(why, lock)
        lines = output.splitlines()
        said = [line for line in lines if line.strip() and not line.lower().startswith(_ASIDE)]
        return LedgerError(
            f"{why}: {said[0] if said else f'git ended with {done.returncode}'}",
            hint="nothing was bought; check the remote and its credentials (`git ls-remote`), or go on with the "
            "weaker promise: --local-ledger",
        )

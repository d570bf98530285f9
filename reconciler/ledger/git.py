"""The shared ledger: a ref in the repository's remote. It needs no server.

The push is both the lock and the record. A run fetches the ref, plans from it, and pushes its intents in one commit
before it creates jobs. A push that is not a fast-forward means that another run wrote meanwhile: the run fetches and
plans again. Outcomes follow in one commit afterwards. Pushes are never forced, so the ref's history is the audit log.
The work tree is not touched, and a shallow clone is enough. Everything is done with the git command line.

These commands write, and so create lock files (`ledger.git_lock`): `fetch` and `update-ref` in this clone, `push` in
the remote's repository. A commit is made with a temporary index. FETCH_HEAD and git's settings are not written, and
`fetch` starts no maintenance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import LedgerError
from reconciler.ledger import git_push
from reconciler.ledger.git_lock import Lock, LockedError, Locks
from reconciler.ledger.git_push import ConflictError
from reconciler.ledger.lines import Line, decode, encode
from reconciler.vcs.git_process import Answer, GitUnavailableError, Repository, reason

REF: Final = "refs/reconciler/ledger"
INCOMING: Final = "refs/reconciler/incoming"
"""The fetched commit, until it is compared with the one before."""
TRACKING: Final = "refs/reconciler/fetched"
"""The commit that this clone fetched or pushed last."""
LOST: Final = "refs/reconciler/lost"
"""Below it, this clone keeps commits that the ref no longer contains, or whose lines it lost, as proof."""
ACCEPTED: Final = "refs/reconciler/accepted"
"""Those of them whose loss a person accepted."""
TIMEOUT_SECONDS: Final = 120

IDENTITY: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "reconciler", "EMAIL": "reconciler@localhost"}.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLedger:
    """One target's lines in the shared ref.

    Args:
        repository: the clone.
        remote: the name of one of its remotes.
        folder: the target's folder inside the ref's tree.
        credentials: environment variables for the commands that contact the remote.
        now: wall clock, Unix seconds.
    """

    repository: Repository
    remote: str
    folder: str
    credentials: Mapping[str, str]
    now: Callable[[], float]

    def fetch(self) -> str:
        """Fetch the ref and return its commit, "" if it does not exist yet.

        Raises:
            LedgerError: the remote cannot be reached, or (`LockedError`) a lock file of git is in the way.
        """
        why = f"the remote {self.remote} cannot be reached"
        listing = self._git("ls-remote", self.remote, REF, why=why, extra=self.credentials)
        tip = listing.split("\t")[0]
        before = self.fetched()
        if tip:
            self._git(
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
                "--no-recurse-submodules", self.remote,
                f"+{REF}:{INCOMING}", why="the ledger cannot be fetched", extra=self.credentials,
            )  # fmt: skip
            tip = self._git("rev-parse", "--verify", INCOMING, why="the ledger was not fetched").strip()
        if before and tip != before and not self._continues(tip, before):
            why = "the commit that the shared ledger lost cannot be kept as proof"
            self._git("update-ref", f"{LOST}/{before[:12]}", before, why=why)
        if tip != before:
            change = (TRACKING, tip) if tip else ("-d", TRACKING)
            self._git("update-ref", *change, why="the ledger cannot be fetched")
        return tip

    def problems_in_the_past(self, tip: str) -> list[str]:
        """Return what is wrong with the history of the ref up to a commit: removed lines and rewritten commits."""
        changed = self.changed_past(tip) if tip else ""
        removed = [f"commit {changed[:10]} of the shared ledger removed lines"] if changed else []
        return removed + [
            f"the shared ledger's history was rewritten: it no longer contains {lost[:10]}, which this clone has"
            for lost in self.missed(LOST, ACCEPTED)
            if not self._contains(tip, lost)
        ]

    def accept_rewrite(self) -> None:
        """Stop missing the commits whose lines the ref has lost. `history verify` still reports them.

        Raises:
            LedgerError: git cannot write the refs.
        """
        for commit in self.missed(LOST):
            for change in ((f"{ACCEPTED}/{commit[:12]}", commit), ("-d", f"{LOST}/{commit[:12]}")):
                self._git("update-ref", *change, why="the rewrite cannot be accepted")

    def _continues(self, tip: str, before: str) -> bool:
        """Whether a commit has the history and the lines of the one before."""
        return self._contains(tip, before) and set(self.rows(before)) <= set(self.rows(tip))

    def _contains(self, tip: str, commit: str) -> bool:
        return bool(tip) and self._run("merge-base", "--is-ancestor", commit, tip).returncode == 0

    def missed(self, *below: str) -> tuple[str, ...]:
        """Return the commits that this clone keeps below `LOST` or `ACCEPTED`."""
        found = self._git("for-each-ref", "--format=%(objectname)", *below, why="the refs are unreadable")
        return tuple(found.split())

    def fetched(self) -> str:
        """Return the ref's commit at the last fetch or push, "" if there was none. Does not contact the remote."""
        done = self._run("rev-parse", "--verify", "--quiet", TRACKING)
        return "" if done.returncode else done.stdout.decode().strip()

    def rows(self, tip: str) -> tuple[str, ...]:
        """Return the text of the lines at a commit, the oldest first."""
        return tuple(row for _, rows in self.files(tip) for row in rows if row)

    def files(self, tip: str) -> list[tuple[str, list[str]]]:
        """Return the files at a commit, each as its name and its rows."""
        if not tip:
            return []
        names = self._git(
            "ls-tree", "-r", "-z", "--name-only", tip, "--", f"{self.folder}/", why="the ledger is unreadable"
        )
        return [
            (name, self._git("cat-file", "blob", f"{tip}:{name}", why="the ledger is unreadable").split("\n"))
            for name in sorted(filter(None, names.split("\0")))
        ]

    def read(self, tip: str) -> tuple[Line, ...]:
        """Return the lines at a commit."""
        return tuple(line for row in self.rows(tip) if (line := decode(row)) is not None)

    def push(
        self, tip: str, known: Collection[str], lines: Sequence[Line], *, part: str, message: str
    ) -> str:
        """Add lines in one commit on top of `tip`, and return the new commit.

        Args:
            tip: the fetched commit, "" if the ref does not exist yet.
            known: the text of the lines at that commit.
            lines: the lines to add; existing ones are not added again.
            part: the file's name, such as the month, so that files stay small.
            message: the commit's message.

        Raises:
            ConflictError: another run pushed first: fetch, and plan again.
            LockedError: a lock file of git is in the way, in the remote's repository.
            LedgerError: it cannot be pushed.
        """
        new = [row for row in dict.fromkeys(map(encode, lines)) if row not in known]
        if not new:
            return tip
        commit = self._commit(tip, new, path=f"{self.folder}/{part}.jsonl", message=message)
        self._push(commit)
        # The push succeeded; if this fails, the next fetch reports it.
        self._run("update-ref", TRACKING, commit)
        return commit

    def check_push(self) -> None:
        """Raise `LedgerError` if `git push --dry-run` fails. It asks no hook and no rule of the remote."""
        with suppress(ConflictError):  # another run has pushed since the fetch, so it is possible
            self._push(self.fetch() or "HEAD", "--dry-run")

    def _push(self, commit: str, *options: str) -> None:
        wanted = (*options, self.remote, f"{commit}:{REF}")
        done = self._run("push", "--quiet", "--porcelain", *wanted, extra=self.credentials)
        if not done.returncode:
            return
        output, errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        if lock := self._locks.in_the_way(errors):
            raise LockedError("the ledger cannot be pushed", lock)
        raise git_push.explain(output, errors, ref=REF)

    def locks(self) -> tuple[Lock, ...]:
        """Return the lock files of git that would make this ledger's commands fail.

        Raises:
            LedgerError: git cannot be run.
        """
        return self._locks.found(known_here=TRACKING.rpartition("/")[0], theirs=REF)

    @property
    def _locks(self) -> Locks:
        return Locks(root=self.repository.folder, remote=self.remote, now=self.now, run=self._run)

    def _commit(self, tip: str, rows: Sequence[str], *, path: str, message: str) -> str:
        """Make a commit without the index and the work tree of the clone."""
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
        """Return the first commit of the ref that removed lines, "" if none did."""
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
    ) -> Answer:
        try:
            return self.repository.run(*arguments, data=data, extra=extra, timeout_seconds=TIMEOUT_SECONDS)
        except GitUnavailableError as error:
            raise LedgerError(f"the shared ledger needs git: {error}", hint=error.hint) from error

    def _error(self, why: str, done: Answer) -> LedgerError:
        errors = done.stderr.decode("utf-8", "replace")
        if lock := self._locks.in_the_way(errors):
            return LockedError(why, lock)
        return git_push.failure(why, reason(errors) or f"git ended with {done.returncode}")

"""The files of the shared ledger: read and make commits, and find one that changed the past."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from reconciler.ledger.git_calls import UNREADABLE, UNWRITABLE, LedgerGit

EMAIL: Final = "reconciler@localhost"
"""The author of every commit of a ledger."""
_IDENTITY: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "reconciler", "EMAIL": EMAIL}.items()
}
_BLOCK: Final = 1 << 20
"""Bytes of files that one git reads."""


def blocks(git: LedgerGit, tip: str, folder: str) -> Iterator[bytes]:
    """Yield the lines below a folder of a commit, in blocks of whole lines, the oldest file first.

    Raises `LedgerError` if git cannot read them.
    """
    listed = git.text("ls-tree", "-r", "-z", "-l", "--full-tree", tip, f"{folder}/", why=UNREADABLE)
    files = (entry.partition("\t")[0].split() for entry in listed.split("\0") if entry)
    for _, together in groupby(_numbered(files), key=itemgetter(0)):
        wanted = "".join(f"{blob}\n" for _, blob in together)
        done = git.run("cat-file", "--batch", data=wanted.encode())
        if done.returncode:
            raise git.error(UNREADABLE, done)
        yield b"".join(_contents(done.stdout))


def _numbered(files: Iterable[Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Yield the ids of files that `ls-tree` describes, each with the number of its block."""
    total = 0
    for _, kind, blob, size in files:
        if kind == "blob":
            yield total // _BLOCK, blob
            total += int(size)


def _contents(output: bytes) -> Iterator[bytes]:
    """Yield the files in the output of `cat-file --batch`, each with a line feed at its end."""
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        size = int(output[at:end].rpartition(b" ")[2])
        content = output[end + 1 : end + 1 + size]
        yield content if content.endswith(b"\n") else content + b"\n"
        at = end + size + 2


def locate(git: LedgerGit, tip: str, folder: str, texts: Collection[str]) -> dict[str, str]:
    """Return `file:line` of lines below a folder of a commit, by their text."""
    place, data = f":(top,literal){folder}/", "\n".join(texts).encode()
    found = git.run("grep", "-n", "-F", "-f", "-", tip, "--", place, data=data)
    rows = (row.split(":", 3) for row in found.stdout.decode(errors="replace").splitlines())
    return {row[3]: f"{row[1]}:{row[2]}" for row in rows if row[3:] and row[3] in texts}


def commit(git: LedgerGit, tip: str, files: Mapping[str, bytes], *, message: str) -> str:
    """Return a new commit that adds files to `tip` ("": to nothing), without the clone's index and work tree.

    Raises `LedgerError` if git cannot write it.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if tip:
            git.text("read-tree", tip, why=UNWRITABLE, extra=index)
        for path, content in files.items():
            blob = git.text("hash-object", "-w", "--stdin", why=UNWRITABLE, data=content).strip()
            entry = f"100644,{blob},{path}"
            git.text("update-index", "--add", "--cacheinfo", entry, why=UNWRITABLE, extra=index)
        tree = git.text("write-tree", why=UNWRITABLE, extra=index).strip()
    parents = ("-p", tip) if tip else ()
    return git.text("commit-tree", tree, *parents, "-m", message, why=UNWRITABLE, extra=_IDENTITY).strip()


def contains(git: LedgerGit, tip: str, commit: str) -> bool:
    """Return whether a commit is `tip` or in its past; False also if this clone does not have it."""
    return bool(tip) and git.run("merge-base", "--is-ancestor", commit, tip).returncode == 0


def changed_past(git: LedgerGit, tip: str, folder: str, *, since: str = "") -> str:
    """Return the first commit that removed lines below a folder, "" if none did; linear in the number of commits.

    A push only adds a file. So the names of files show which commits did anything else, and only of those are lines
    read. Commits are looked at up to `tip`, and from the commit `since` on if that is in the past of `tip`. Raises
    `LedgerError` if git cannot read the history.
    """
    sound = (f"^{since}",) if since and contains(git, tip, since) else ()
    commits = git.text("rev-list", "--topo-order", "--reverse", tip, *sound, "--", why=UNREADABLE)
    changes = git.text(  # other than additions, compared with each parent
        "diff-tree", "--stdin", "-r", "-m", "--no-renames", "--diff-filter=a", "--", f":(top,literal){folder}/",
        data=commits.encode(), why=UNREADABLE,
    )  # fmt: skip
    suspects = dict.fromkeys(row.split()[0] for row in changes.splitlines() if not row.startswith(":"))
    return next((commit for commit in suspects if _removed_lines(git, commit, folder)), "")


def _removed_lines(git: LedgerGit, commit: str, folder: str) -> bool:
    parents = git.text("rev-list", "--parents", "-1", commit, "--", why=UNREADABLE).split()[1:]

    def rows(of: str) -> set[bytes]:
        return {row for block in blocks(git, of, folder) for row in block.splitlines()}

    kept = rows(commit)
    return any(not rows(parent) <= kept for parent in parents)

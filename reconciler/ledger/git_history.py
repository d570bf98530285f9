"""Find the commit that changed the past of the shared ledger, in time linear in the number of commits.

A push only adds a file. So the names of files show which commits did anything else, and only of those are lines read.
"""

from __future__ import annotations

from reconciler.ledger import git_files
from reconciler.ledger.git_calls import UNREADABLE, LedgerGit


def contains(git: LedgerGit, tip: str, commit: str) -> bool:
    """Return whether a commit is `tip` or in its past; False also if this clone does not have it."""
    return bool(tip) and git.run("merge-base", "--is-ancestor", commit, tip).returncode == 0


def changed_past(git: LedgerGit, tip: str, folder: str, *, since: str) -> str:
    """Return the first commit that removed lines below a folder, "" if none did.

    Args:
        git: runs git.
        tip: the last commit to look at.
        folder: where the lines are.
        since: a commit up to which none did; ignored if it is not in the past of `tip`.

    Raises:
        LedgerError: git cannot read the history.
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
        return {row for block in git_files.blocks(git, of, folder) for row in block.splitlines()}

    kept = rows(commit)
    return any(not rows(parent) <= kept for parent in parents)

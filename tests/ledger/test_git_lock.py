"""Git's messages about a lock file, and the errors that the tool reports for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.ledger.git_calls import LedgerGit
from reconciler.ledger.shared import LockedError
from reconciler.vcs.git_process import Repository

HERE = "error: cannot lock ref 'refs/a': Unable to create '{}': File exists.\n\nAnother git process seems to be running"
THERE = "remote: error: cannot lock ref 'refs/a': Unable to create '{}': File exists.        \nremote: \n"


def in_the_way(root: Path, output: str) -> LockedError | None:
    """Look for a lock in the output of git in a clone."""
    clone = Repository(top=root, folder=root, chosen={})
    git = LedgerGit(repository=clone, remote="origin", credentials={}, now=lambda: 0.0)
    return git.locked("the ledger cannot be fetched", output)


def test_a_lock_of_the_clone_is_named_with_the_command_that_deletes_it(tmp_path: Path) -> None:
    path = tmp_path / ".git/it's a ref.lock"
    for name in (str(path), ".git/it's a ref.lock", f"{tmp_path}/./.git/it's a ref.lock"):
        error = in_the_way(tmp_path, HERE.format(name))
        assert error
        assert (
            str(error) == "the ledger cannot be fetched: git's lock file .git/it's a ref.lock is in the way"
        )
        quoted = f"""'{tmp_path}/.git/it'"'"'s a ref.lock'"""
        assert error.hint == f"if no git command is running, delete it: rm {quoted}"


def test_a_lock_in_the_remote_is_deleted_there(tmp_path: Path) -> None:
    """A file of the same path on this machine may be another file."""
    error = in_the_way(tmp_path, THERE.format("/srv/shop.git/refs/a.lock"))
    assert error
    assert "git's lock file /srv/shop.git/refs/a.lock of the remote origin is in the way" in str(error)
    assert "delete the file there, or ask its administrator" in error.hint
    assert "rm" not in error.hint.split()


@pytest.mark.parametrize(
    "output",
    [
        "",
        "fatal: could not read Username for 'https://example.com': terminal prompts disabled",
        "error: cannot lock ref 'refs/a': is at 1 but expected 2",
        "error: cannot lock ref 'refs/a': Unable to create '/x/refs/a.lock': Permission denied",
        "fatal: destination path 'x.lock' already exists",
    ],
)
def test_other_failures_are_no_locks(tmp_path: Path, output: str) -> None:
    assert in_the_way(tmp_path, output) is None

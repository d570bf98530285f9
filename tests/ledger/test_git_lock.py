"""Git's messages about a lock file, and the errors that the tool reports for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.ledger.git_calls import LedgerGit, lock_in_the_way
from reconciler.ledger.git_lock import Lock, LockedError
from reconciler.vcs.git_process import Answer, Repository

NOW = 1_800_000_000.0
HERE = "error: cannot lock ref 'refs/a': Unable to create '{}': File exists.\n\nAnother git process seems to be running"
THERE = "remote: error: cannot lock ref 'refs/a': Unable to create '{}': File exists.        \nremote: \n"


def in_the_way(root: Path, output: str, *, url: str = "git@example.com:shop.git") -> Lock | None:
    """Look for a lock in a clone whose remote is at an address."""

    class Remote(LedgerGit):
        def run(self, *arguments: str, **_: object) -> Answer:
            assert arguments == ("remote", "get-url", "origin")
            return Answer(arguments, 0, f"{url}\n".encode(), b"")

    clone = Repository(top=root, folder=root, chosen={})
    return lock_in_the_way(Remote(repository=clone, remote="origin", credentials={}, now=lambda: NOW), output)


def old(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (NOW - seconds, NOW - seconds))
    return path


@pytest.mark.parametrize(
    ("seconds", "reported", "may_pass"),
    [
        (-5, "0 s old", True),
        (0, "0 s old", True),
        (59, "59 s old", True),
        (60, "1 min old", False),
        (7_500, "2 h 5 min old", False),
    ],
)
def test_a_lock_of_the_clone_is_reported_with_its_age(
    tmp_path: Path, seconds: float, reported: str, *, may_pass: bool
) -> None:
    path = old(tmp_path / ".git/it's a ref.lock", seconds)
    for name in (str(path), ".git/it's a ref.lock", f"{tmp_path}/./.git/it's a ref.lock"):
        lock = in_the_way(tmp_path, HERE.format(name))
        assert lock
        error = LockedError("the ledger cannot be fetched", lock)
        said = f"the ledger cannot be fetched: git's lock file .git/it's a ref.lock, {reported} is in the way"
        assert str(error) == said
        assert error.may_pass is may_pass
        quoted = f"""'{tmp_path}/.git/it'"'"'s a ref.lock'"""
        assert error.hint == f"if no git command is running, delete it: rm {quoted}"


def test_a_lock_that_is_gone_by_now_needs_nothing_but_another_try(tmp_path: Path) -> None:
    lock = in_the_way(tmp_path, HERE.format(tmp_path / "gone.lock"))
    assert lock
    assert lock.hint == "the file no longer exists: run again"
    assert LockedError("why", lock).may_pass


def test_a_lock_on_another_machine_is_for_its_administrator(tmp_path: Path) -> None:
    """A file of the same path on this machine is another file."""
    path = old(tmp_path / "srv/shop.git/refs/a.lock", 7_500)
    lock = in_the_way(tmp_path, THERE.format(path))
    assert lock
    assert lock.description == f"git's lock file {path} of the remote origin"
    assert "its administrator has to delete the file" in lock.hint
    assert "rm" not in lock.hint.split()
    assert LockedError("why", lock).may_pass


@pytest.mark.parametrize("url", ["{}", "file://{}", "srv/shop.git"])
def test_a_lock_in_a_remote_that_is_a_folder_is_looked_at(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "srv/shop.git"
    path = old(folder / "refs/a.lock", 7_500)
    lock = in_the_way(tmp_path, THERE.format(path), url=url.format(folder))
    assert lock
    assert lock.description == "git's lock file srv/shop.git/refs/a.lock of the remote origin, 2 h 5 min old"


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

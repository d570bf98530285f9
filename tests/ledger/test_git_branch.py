"""The branch of the shared ledger: what is in it, which clones work with it, and what its history shows."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.errors import LedgerError
from reconciler.ledger import git_files
from reconciler.ledger.git_calls import LedgerGit
from reconciler.vcs.git_process import Answer
from tests.helpers.thorough import thorough
from tests.ledger.remote import REF, Remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def rows(remote: Remote, folder: Path, project: str = "shop") -> list[bytes]:
    """Fetch the lines as a clone sees them."""
    ledger = remote.ledger_in(folder, project)
    return [row for block in ledger.blocks(ledger.fetch()) for row in block.splitlines()]


def pushes(remote: Remote, number: int) -> str:
    """Push so often, one line each, and return the last commit."""
    tip = remote.ledger.fetch()
    for count in range(number):
        tip = remote.ledger.push(tip, [b"line %d" % count], message="m")
    return tip


def names(remote: Remote, commit: str) -> list[str]:
    return remote.git(remote.origin, "ls-tree", "-r", "--name-only", commit).splitlines()


def rewrite(remote: Remote, tip: str, name: str, content: str | None) -> str:
    """Commit on top of `tip` by another tool: another content of a file, or no such file."""
    git, clone = remote.git, remote.clone
    git(clone, "read-tree", tip)
    git(clone, "update-index", "--force-remove", name)
    if content is not None:
        (clone / "content").write_text(content)
        blob = git(clone, "hash-object", "-w", "content")
        git(clone, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    return git(clone, "commit-tree", git(clone, "write-tree"), "-p", tip, "-m", "tidy up")


def test_the_branch_says_what_it_is_and_starts_no_pipeline(remote: Remote) -> None:
    tip = pushes(remote, 1)
    assert remote.git(remote.origin, "rev-parse", REF) == tip
    assert "Do not edit" in remote.git(remote.origin, "show", f"{tip}:README.md")
    assert remote.git(remote.origin, "log", "-1", "--format=%s", tip).endswith("[skip ci]")


def test_a_push_adds_one_file_in_the_folder_of_its_month_and_changes_none(remote: Remote) -> None:
    tip = pushes(remote, 3)
    files = names(remote, tip)
    assert [name for name in files if not name.startswith("target/1970-01/01T000000Z-")] == ["README.md"]
    assert len(files) == 4
    changed = remote.git(remote.origin, "log", "--format=", "--name-status", tip)
    assert {row[0] for row in changed.splitlines()} == {"A"}


def test_projects_have_a_branch_each_and_do_not_race(remote: Remote) -> None:
    one, two = remote.ledger_in(remote.clone, "one"), remote.ledger_in(remote.clone, "two")
    first, second = one.fetch(), two.fetch()
    one.push(first, [b"1"], message="m")
    two.push(second, [b"2"], message="m")
    assert rows(remote, remote.clone, "one") == [b"1"]
    assert rows(remote, remote.clone, "two") == [b"2"]


@pytest.mark.parametrize(
    "project", ["a...lock", *map(thorough, ("a", "a.lock", "a..b", "a.", "a.lock.lock", "a.lockb", "a-_.b"))]
)
def test_every_name_of_a_project_has_a_branch_of_its_own(remote: Remote, project: str) -> None:
    ledger = remote.ledger_in(remote.clone, project)
    ledger.push(ledger.fetch(), [project.encode()], message="m")
    assert rows(remote, remote.clone, project) == [project.encode()]
    assert ledger.branch.removeprefix("reconciler-ledger/").replace("%2e", ".") == project


@pytest.mark.parametrize(
    "options",
    [
        ("--depth=1", "--filter=blob:none"),
        thorough(()),
        thorough(("--depth=1",)),
        thorough(("--single-branch",)),
        thorough(("--filter=blob:none",)),
        thorough(("--filter=tree:0", "--no-checkout")),
    ],
)
@pytest.mark.parametrize("known", [[b"line 0", b"line 1"], thorough([])])
def test_every_kind_of_clone_reads_and_writes_the_branch(
    remote: Remote, options: tuple[str, ...], known: list[bytes]
) -> None:
    remote.commit_to_main()
    pushes(remote, len(known))
    clone = remote.another("other", *options)
    before = remote.git(clone, "rev-parse", "--is-shallow-repository")
    ledger = remote.ledger_in(clone)
    ledger.fetch()
    away = remote.origin.rename(remote.folder / "away.git")  # whatever is missing stays missing
    assert [row for block in ledger.blocks(ledger.fetched()) for row in block.splitlines()] == known
    assert ledger.problems_in_the_past(ledger.fetched()) == []
    away.rename(remote.origin)
    ledger.push(ledger.fetched(), [b"more"], message="m")
    assert sorted(rows(remote, remote.clone)) == sorted([*known, b"more"])
    assert remote.git(clone, "rev-parse", "--is-shallow-repository") == before


def test_a_project_in_a_folder_of_the_repository_reads_what_it_wrote(remote: Remote) -> None:
    pushes(remote, 2)
    folder = remote.clone / "services/search"
    folder.mkdir(parents=True)
    assert rows(remote, folder) == [b"line 0", b"line 1"]
    tip = remote.ledger.fetch()
    bad = rewrite(remote, tip, names(remote, tip)[1], None)
    assert git_files.changed_past(remote.ledger_in(folder).git, bad, "target", since="") == bad


def test_a_branch_of_that_name_that_is_no_ledger_is_refused_and_kept(remote: Remote) -> None:
    remote.commit_to_main()
    remote.git(remote.clone, "push", "--quiet", "origin", f"HEAD:{REF}")
    theirs = remote.git(remote.origin, "rev-parse", REF)
    for _ in range(2):
        with pytest.raises(LedgerError, match="reconciler-ledger/shop of origin is not a ledger") as caught:
            remote.ledger.fetch()
        assert "rename that branch" in caught.value.hint
    assert remote.ledger.fetched() == ""
    assert remote.git(remote.origin, "rev-parse", REF) == theirs


def test_a_ledger_to_which_a_person_added_a_commit_is_still_one(remote: Remote) -> None:
    tip = pushes(remote, 1)
    added = rewrite(remote, tip, "README.md", "another text")
    remote.git(remote.clone, "push", "--quiet", "origin", f"{added}:{REF}")
    assert rows(remote, remote.another("other")) == [b"line 0"]
    assert remote.ledger.problems_in_the_past(added) == []


# The past.


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (None, True),
        ("line 1\nmore\n", False),
        thorough("line 11", True),
        thorough("", True),
        thorough("line", True),
        thorough("line 1", False),
    ],
)
def test_a_commit_that_removed_a_line_is_found_and_one_that_did_not_is_no_finding(
    remote: Remote, content: str | None, *, reported: bool
) -> None:
    tip = pushes(remote, 3)
    bad = rewrite(remote, tip, names(remote, tip)[2], content)
    later = remote.ledger.push(bad, [b"later"], message="m") if not reported else bad
    found = remote.ledger.problems_in_the_past(later)
    assert [bad[:10] in problem for problem in found] == ([True] if reported else [])


@pytest.mark.thorough
def test_a_line_that_moved_to_another_file_is_not_removed(remote: Remote) -> None:
    tip = pushes(remote, 2)
    first, second = names(remote, tip)[1:]
    moved = rewrite(remote, rewrite(remote, tip, second, "line 0\nline 1\n"), first, None)
    assert remote.ledger.problems_in_the_past(moved) == []


def test_a_merge_that_drops_the_lines_of_one_side_is_found(remote: Remote) -> None:
    tip = pushes(remote, 2)
    git, clone = remote.git, remote.clone
    side = rewrite(remote, tip, "target/1970-01/side.jsonl", "of the side\n")
    tree = git(clone, "rev-parse", f"{tip}^{{tree}}")
    merge = git(clone, "commit-tree", tree, "-p", tip, "-p", side, "-m", "merge")
    (problem,) = remote.ledger.problems_in_the_past(merge)
    assert merge[:10] in problem


def test_what_was_found_is_found_again_and_what_was_sound_is_not_read_again(remote: Remote) -> None:
    tip = pushes(remote, 2)
    verified = remote.clone / ".reconciler/verified"
    assert remote.ledger.problems_in_the_past(tip) == []
    assert verified.read_text() == tip
    bad = rewrite(remote, tip, names(remote, tip)[1], None)
    for _ in range(2):
        assert len(remote.ledger.problems_in_the_past(bad)) == 1
        assert verified.read_text() == tip
    verified.write_text(bad)  # this host vouches for it: what comes before is not read
    assert remote.ledger.problems_in_the_past(bad) == []


@pytest.mark.parametrize("content", ["0" * 40, *map(thorough, ("", "no commit", "\udcff", "--all"))])
def test_a_note_that_is_not_in_the_past_of_the_branch_is_ignored(remote: Remote, content: str) -> None:
    tip = pushes(remote, 2)
    bad = rewrite(remote, tip, names(remote, tip)[1], None)
    (remote.clone / ".reconciler").mkdir()
    (remote.clone / ".reconciler/verified").write_text(content, errors="surrogateescape")
    assert len(remote.ledger.problems_in_the_past(bad)) == 1


def test_whether_a_commit_is_in_the_past_of_another_is_known(remote: Remote) -> None:
    first = pushes(remote, 1)
    last = pushes(remote, 1)
    ledger = remote.ledger
    assert ledger.contains(last, first)
    assert ledger.contains(first, first)
    assert not ledger.contains(first, last)
    assert not ledger.contains("", first)
    assert not ledger.contains(last, "0" * 40)


def imported(remote: Remote, pushes: int, lines: int) -> str:
    """Write the branch that so many pushes make, without their processes; return the last commit as a clone sees it."""
    row = (
        b'{"kind": "a line", "at": %d, "text": "as long as the tags of a job, with a digest and a commit"}\n'
    )
    commits = []
    for number in range(pushes):
        data = b"".join(row % line for line in range(number * lines, (number + 1) * lines))
        name = b"target/2026-%02d/%05d.jsonl" % (1 + number * 12 // pushes, number)
        who = f"committer reconciler <{git_files.EMAIL}> 1700000000 +0000".encode()
        head = b"commit %s\n%s\ndata 1\nm\n" % (REF.encode(), who)
        commits.append(head + b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(data), data))
    script = remote.folder / "commits"
    script.write_bytes(b"".join(commits))
    with script.open("rb") as stream:
        subprocess.run(["git", "fast-import", "--quiet"], cwd=remote.origin, stdin=stream, check=True)
    remote.git(remote.origin, "gc", "--quiet")
    return remote.ledger.fetch()


class Counted(LedgerGit):
    """Counts what git prints."""

    printed: ClassVar[list[int]] = []

    def run(self, *words: str, data: bytes | None = None, extra: Mapping[str, str] | None = None) -> Answer:
        done = super().run(*words, data=data, extra=extra)
        self.printed.append(len(done.stdout))
        return done


@pytest.mark.thorough
def test_the_check_of_the_past_starts_as_few_processes_and_reads_in_proportion_however_long_it_is(
    tmp_path: Path,
) -> None:
    """The first check of a year of one team, three pushes a day with 73,000 lines, takes less than 10 seconds."""
    printed = {}
    for pushes, lines in ((200, 4), (400, 4), (800, 4), (1_095, 67)):
        (tmp_path / str(pushes)).mkdir()
        remote = Remote(tmp_path / str(pushes))
        tip = imported(remote, pushes, lines)
        own, began = remote.ledger.git, time.monotonic()
        git = Counted(repository=own.repository, remote=own.remote, credentials={}, now=own.now)
        Counted.printed.clear()
        assert replace(remote.ledger, git=git).problems_in_the_past(tip) == []
        printed[pushes] = tuple(Counted.printed)
        assert time.monotonic() - began < 10
    assert len({len(of_each) for of_each in printed.values()}) == 1, printed
    assert sum(printed[800]) <= 4 * sum(printed[200]), printed

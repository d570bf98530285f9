"""Why a push of the shared ledger fails: git's own messages from a repository here, and those of GitHub and GitLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import LedgerError
from reconciler.ledger.git_calls import explain_push
from reconciler.ledger.shared import ConflictError
from tests.ledger.remote import REF, Remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def rule(remote: Remote) -> None:
    remote.hook(
        "pre-receive", 'printf "error: GH013: Repository rule violations\\n\\n- Only by merge\\n" >&2; exit 1'
    )


def control_characters(remote: Remote) -> None:
    remote.hook("update", r'printf "no\033[31m \007entry\n"; exit 1')


def silent_hook(remote: Remote) -> None:
    remote.hook("pre-receive", "exit 1")


def hidden(remote: Remote) -> None:
    remote.config("transfer.hideRefs", "refs/heads/reconciler-ledger")


def size(remote: Remote) -> None:
    remote.config("receive.maxInputSize", "10")


def shallow(remote: Remote) -> None:
    for number in "123":
        remote.git(remote.clone, "commit", "--quiet", "--allow-empty", "-m", number)
    remote.git(remote.folder, "clone", "--quiet", "--depth=1", f"file://{remote.clone}", "shallow")
    remote.git(remote.folder / "shallow", "remote", "set-url", "origin", "../origin.git")
    remote.clone.rename(remote.folder / "whole")
    (remote.folder / "shallow").rename(remote.clone)


def name_conflict(remote: Remote) -> None:
    tree = remote.git(remote.origin, "mktree")
    remote.git(
        remote.origin,
        "update-ref",
        "refs/heads/reconciler-ledger",
        remote.git(remote.origin, "commit-tree", tree, "-m", "x"),
    )


RULE = "a rule or a hook of the remote declines it"
PERMISSION = "no permission to push"
IN_THE_WAY = "the remote has a ref whose name is in the way"
SIZE = "it is larger than the remote accepts"


@pytest.mark.parametrize(
    ("prepare", "message", "hint"),
    [
        (rule, f"{RULE}: GH013: Repository rule violations; - Only by merge", "let this runner push to"),
        (control_characters, f"{RULE}: no[31m entry; hook declined to update {REF}", "administrator"),
        (silent_hook, f"{RULE}: pre-receive hook declined", "administrator"),
        (hidden, f"the remote hides {REF}: deny updating a hidden ref", "hideRefs"),
        (size, f"{SIZE}: pack exceeds maximum allowed size", "higher limit"),
        (shallow, "this clone is shallow: shallow update not allowed", "git fetch --unshallow"),
        (
            name_conflict,
            f"{IN_THE_WAY}: cannot lock ref '{REF}': 'refs/heads/reconciler-ledger' exists; cannot create '{REF}'",
            "delete that ref",
        ),
    ],
)
def test_a_push_that_the_remote_refuses_is_explained_and_is_no_race(
    remote: Remote, prepare: Callable[[Remote], None], message: str, hint: str
) -> None:
    prepare(remote)
    tip = remote.git(remote.clone, "rev-parse", "HEAD") if prepare is shallow else ""
    with pytest.raises(LedgerError) as caught:
        remote.push(tip)
    assert str(caught.value) == f"the ledger cannot be pushed: {message}"
    assert hint in caught.value.hint
    assert "no job was created" in caught.value.hint


def pushed_before(remote: Remote) -> None:
    remote.overtake()


def pushed_meanwhile(remote: Remote) -> None:
    other = remote.git(remote.origin, "commit-tree", remote.git(remote.origin, "mktree"), "-m", "other")
    remote.hook("pre-receive", f"unset GIT_QUARANTINE_PATH; git update-ref {REF} {other}")


@pytest.mark.parametrize("overtaken", [pushed_before, pushed_meanwhile])
@pytest.mark.parametrize("first", [True, False])
def test_a_push_that_another_run_overtakes_is_a_race(
    remote: Remote, overtaken: Callable[[Remote], None], *, first: bool
) -> None:
    tip = "" if first else remote.push()
    overtaken(remote)
    with pytest.raises(ConflictError):
        remote.push(tip)


NOT_PUSHED = "To x\n!\tabc:refs/x\t[remote rejected] ({})\nDone\n"
FATAL = "fatal: unable to access 'https://host/shop.git/': The requested URL returned error: 403"


@pytest.mark.parametrize(
    ("kind", "status", "lines"),
    [
        (PERMISSION, "", ["remote: Permission to shop/batch.git denied to ada.", FATAL]),
        (
            PERMISSION,
            "",
            ["ERROR: Permission to shop/batch.git denied to deploy key", "fatal: Could not read"],
        ),
        (PERMISSION, "", ["remote: This repository was archived so it is read-only.", FATAL]),
        (PERMISSION, "", ["warning: x", FATAL]),
        (PERMISSION, "", ["fatal: could not read Username for 'https://host': terminal prompts disabled"]),
        (PERMISSION, "", ["remote: You are not allowed to push code to this project.", FATAL]),
        (PERMISSION, "unpacker error", ["remote: fatal: insufficient permission for adding an object"]),
        (PERMISSION, "failed to update ref", ["remote: error: Unable to create 'x.lock': Permission denied"]),
        (
            RULE,
            "pre-receive hook declined",
            ["remote: GitLab: You are not allowed to push to protected branches"],
        ),
        (RULE, "protected branch hook declined", ["remote: error: GH006: Protected branch update failed"]),
        (RULE, "push declined due to repository rule violations", ["remote: error: GH013: Rule violations"]),
        (
            SIZE,
            "pre-receive hook declined",
            ["remote: error: File x exceeds GitHub's file size limit of 100 MB"],
        ),
        (SIZE, "", ["error: RPC failed; HTTP 413 curl 22", "fatal: the remote end hung up unexpectedly"]),
    ],
)
def test_messages_of_servers_are_classified_and_repeated(kind: str, status: str, lines: list[str]) -> None:
    error = explain_push(NOT_PUSHED.format(status) if status else "", "\n".join(lines), ref="refs/x")
    assert isinstance(error, LedgerError)
    said = next(line for line in lines if not line.startswith("warning"))
    for prefix in ("remote: ", "error: ", "fatal: "):
        said = said.removeprefix(prefix) if lines[0].startswith("remote") else said
    assert str(error) == f"the ledger cannot be pushed: {kind}: {said}"


def test_another_failure_is_reported_in_gits_words() -> None:
    error = explain_push(
        "", "hint: x\nfatal: unable to access 'https://host/': Could not resolve host\n", ref="refs/x"
    )
    assert (
        str(error)
        == "the ledger cannot be pushed: fatal: unable to access 'https://host/': Could not resolve host"
    )


@pytest.mark.parametrize(
    "line",
    [
        "[rejected] (fetch first)",
        "[rejected] (non-fast-forward)",
        "[rejected] (stale info)",
        "[remote rejected] (cannot lock ref 'refs/x': is at 1 but expected 2)",
        "[remote rejected] (cannot lock ref 'refs/x': reference already exists)",
        "[remote rejected] (incorrect old value provided)",
        "[remote rejected] (failed to update ref)",
    ],
)
def test_the_words_of_every_git_for_a_race_are_known(line: str) -> None:
    assert isinstance(explain_push(f"To x\n!\tabc:refs/x\t{line}\nDone\n", "", ref="refs/x"), ConflictError)


def test_endless_words_are_cut() -> None:
    error = explain_push(NOT_PUSHED.format("pre-receive hook declined"), "remote: x\n" * 10_000, ref="refs/x")
    assert len(str(error)) < 400


def test_a_dry_run_finds_a_remote_that_cannot_be_reached_and_changes_nothing(remote: Remote) -> None:
    remote.git(remote.clone, "commit", "--quiet", "--allow-empty", "-m", "1")
    remote.ledger.check_push()
    assert remote.git(remote.origin, "for-each-ref") == ""
    remote.push()
    silent_hook(remote)
    remote.ledger.check_push()  # a hook is not asked
    remote.origin.rename(remote.folder / "gone.git")
    with pytest.raises(LedgerError, match="cannot be fetched from origin"):
        remote.ledger.check_push()

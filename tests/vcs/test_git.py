"""Git's own answers about a folder, and how many processes they take."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from reconciler.model import Ancestry, Checkout
from reconciler.vcs.git import Git
from tests.cli.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Stage(tmp_path, capsys)


@pytest.fixture
def commands(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which a `git` that comes first in PATH writes each command."""
    if sys.platform == "win32":
        pytest.skip("a shell script in place of git")
    folder = tmp_path_factory.mktemp("trace")
    script = folder / "git"
    script.write_text(f'#!/bin/sh\necho "$*" >> {folder}/commands\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "commands"


def started(trace: Path) -> list[str]:
    lines = trace.read_text().splitlines() if trace.exists() else ()
    return [re.sub("^(-c [^ ]+ )*", "", line).split()[0] for line in lines]


def test_outside_of_a_repository_every_answer_is_empty_and_no_process_starts(
    tmp_path: Path, commands: Path
) -> None:
    git = Git(tmp_path)
    assert git.checkout(tmp_path) == Checkout()
    assert git.ancestry({"a" * 40}) == Ancestry()
    assert (git.origin(), git.toplevel(), git.tracked("."), git.shallow) == ("", None, False, False)
    assert not git.export("a" * 40, tmp_path)
    assert started(commands) == []


def test_a_repository_without_a_commit_has_no_checkout_and_knows_its_files(stage: Stage) -> None:
    stage.git("init", "--quiet")
    stage.git("add", "--all")
    git = Git(stage.root)
    assert git.checkout(stage.root) == Checkout()
    assert git.tracked("reconciler.yaml")
    assert git.toplevel() == stage.root


def test_a_branch_is_named_and_a_commit_alone_is_not(stage: Stage) -> None:
    commit = stage.commit("all")
    stage.git("checkout", "--quiet", "-b", "team/new")
    assert Git(stage.root).checkout(stage.root) == Checkout(commit=commit, branch="team/new")
    stage.git("tag", "team/new")
    assert Git(stage.root).checkout(stage.root).branch == "team/new"
    stage.git("checkout", "--quiet", "--detach")
    assert Git(stage.root).checkout(stage.root) == Checkout(commit=commit)


@pytest.mark.parametrize("folder", ["project", "größe", "two words", "two\nlines"])
def test_changed_files_of_a_project_below_the_root_are_relative_to_it(stage: Stage, folder: str) -> None:
    root = stage.write(f"{folder}/specs/a.yaml", "").parents[1]
    stage.commit("all")
    stage.write(f"{folder}/specs/a.yaml", "changed")
    stage.write(f"{folder}/specs/new.yaml", "")
    stage.write(f"{folder}/plan.json", "")
    stage.write("elsewhere.yaml", "")
    assert Git(root).checkout(root / "specs").uncommitted == {"specs/a.yaml", "specs/new.yaml"}
    assert Git(root).checkout(root / "specs").root == folder
    assert Git(root).toplevel() == stage.root


def test_a_shallow_clone_is_one(stage: Stage, tmp_path: Path) -> None:
    stage.commit("first")
    stage.commit("second")
    stage.git("clone", "--quiet", "--depth=1", f"file://{stage.root}", "clone")
    assert Git(tmp_path / "clone").shallow
    assert not Git(stage.root).shallow


def test_a_plan_in_a_checkout_starts_few_processes(stage: Stage, commands: Path) -> None:
    stage.spec("a")
    stage.commit("all")
    commands.unlink()
    assert stage.run("validate").code == 0
    assert sorted(started(commands)) == ["ls-files", "rev-parse"], "for other settings files only"
    assert stage.run("plan").code == 0
    commands.unlink()
    assert stage.run("plan").code == 0
    assert sorted(started(commands)) == ["config", "ls-files", "ls-files", "rev-parse", "status"]
    commands.unlink()
    assert stage.run("apply", "--yes").code == 0
    assert stage.run("plan").code == 0
    assert started(commands)[-5:].count("merge-base") == 1, "the job's commit is looked for"

"""Several folders of one repository: each is a project of its own, and one project has one folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from .stage import Result, Stage

SEARCH, BILLING = "services/search/batch", "services/billing/batch"


@pytest.fixture
def monorepo(stage: Stage) -> Stage:
    """A repository with an empty root and a remote; commands run in the folder that `enter` names."""
    (stage.root / "reconciler.yaml").unlink()
    stage.git("init", "--quiet", "--initial-branch=main")
    stage.git("remote", "add", "origin", "https://github.com/acme/mono3.git")
    (stage.root / ".git/info/exclude").write_text(".reconciler/\n")
    return stage


def enter(stage: Stage, folder: str) -> None:
    """Let the next commands run in a folder of the repository, on the same workspace as those before."""
    top = stage.root
    while not (top / ".git").exists():
        top = top.parent
    used, stage.root = stage.root, top / folder
    stage.root.mkdir(parents=True, exist_ok=True)
    workspace = used / ".reconciler/sandbox/sandbox.db"
    if workspace.exists() and used != stage.root:
        (stage.root / ".reconciler/sandbox").mkdir(parents=True, exist_ok=True)
        shutil.move(workspace, stage.root / ".reconciler/sandbox/sandbox.db")


def commit(stage: Stage, message: str) -> None:
    """Commit everything in all folders."""
    stage.git("add", "--all", ":/")
    stage.git("commit", "--quiet", f"--message={message}")


def team(stage: Stage, folder: str, *specs: str, settings: str = "project: mono3\n") -> None:
    enter(stage, folder)
    stage.write("reconciler.yaml", settings)
    for name in specs:
        stage.spec(name)


def test_the_second_of_two_folders_with_one_project_cancels_nothing(
    monorepo: Stage, golden: Callable[..., None]
) -> None:
    team(monorepo, BILLING, "invoices")
    team(monorepo, SEARCH, "search-one", "search-two")
    commit(monorepo, "two teams")
    first = monorepo.run("apply", "--yes")
    assert first.code == 0
    enter(monorepo, BILLING)
    second = monorepo.run("apply", "--yes")
    assert not [sent for sent in second.writes if sent.path.endswith("/cancel")]
    assert monorepo.live() == ["invoices", "search-one", "search-two"]
    enter(monorepo, SEARCH)
    third = monorepo.run("apply", "--yes")
    assert third.writes == []
    golden(Result(second.argv, second.code, second.out, second.err, []), third)


def test_work_that_another_folder_has_submitted_is_not_submitted_again(monorepo: Stage) -> None:
    team(monorepo, SEARCH, "nightly")
    team(monorepo, BILLING, "nightly")
    commit(monorepo, "two teams")
    assert monorepo.run("apply", "--yes").code == 0
    enter(monorepo, SEARCH)
    held = monorepo.run("apply", "--yes", "--fail-on-attention")
    assert (held.code, held.writes) == (6, [])
    assert f"submitted from {BILLING}" in held.out
    monorepo.advance(7200)
    done = monorepo.run("apply", "--yes", "--fail-on-attention")
    assert (done.code, done.writes) == (0, [])
    assert "1 unchanged: 1 succeeded" in done.out


def test_a_folder_that_was_moved_keeps_its_jobs_once_it_says_so(monorepo: Stage) -> None:
    team(monorepo, "services/a", "stays", "goes")
    commit(monorepo, "before")
    assert monorepo.run("apply", "--yes").code == 0
    enter(monorepo, "")
    monorepo.git("mv", "services/a", "services/b")
    enter(monorepo, "services/a")
    enter(monorepo, "services/b")
    for path in ("specs/goes.yaml", "specs/data/goes.jsonl"):
        (monorepo.root / path).unlink()
    commit(monorepo, "after")
    held = monorepo.run("apply", "--yes")
    assert held.writes == []
    assert "after a move, set `moved_from: [services/a]`" in held.out
    monorepo.write("reconciler.yaml", "project: mono3\nmoved_from: [./services/a/]\n")
    commit(monorepo, "moved")
    assert monorepo.run("apply", "--yes").code == 0
    assert monorepo.live() == ["stays"]


def test_each_folder_gets_a_project_and_an_example_of_its_own(monorepo: Stage) -> None:
    for folder in (SEARCH, BILLING):
        enter(monorepo, folder)
        name = f"mono3-{folder.replace('/', '-')}"
        assert f"Project {name} in " in monorepo.run("init").out
        settings = (monorepo.root / "reconciler.yaml").read_text(encoding="utf-8")
        monorepo.write("reconciler.yaml", settings.replace("ledger: git", "ledger: local"))
        commit(monorepo, folder)
        done = monorepo.run("apply", "--yes")
        assert (done.code, "1 created" in done.out) == (0, True)


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_two_tracked_settings_files_with_one_project_are_refused(monorepo: Stage, command: str) -> None:
    team(monorepo, SEARCH, "nightly")
    team(monorepo, BILLING, "invoices")
    assert monorepo.run(command).code == 0, "what is not tracked counts only once it is"
    commit(monorepo, "two teams")
    refused = monorepo.run(command)
    assert refused.code == 1
    assert "reconciler.yaml:1:10: " in refused.err
    assert f"project: {SEARCH}/reconciler.yaml declares the project mono3 too" in refused.err
    enter(monorepo, SEARCH)
    monorepo.write("reconciler.yaml", "project: mono3-search\n")
    enter(monorepo, BILLING)
    assert monorepo.run(command).code == 0


def test_the_settings_file_in_use_counts_whatever_its_name(monorepo: Stage) -> None:
    team(monorepo, BILLING, "invoices")
    monorepo.write("dev.yaml", "project: mono3\n")
    commit(monorepo, "two files")
    assert monorepo.run("validate").code == 0
    refused = monorepo.run("validate", "--config", "dev.yaml")
    assert refused.code == 1
    assert f"dev.yaml:1:10: project: {BILLING}/reconciler.yaml declares the project mono3 too" in refused.err


def test_a_broken_settings_file_of_another_team_stops_nobody_else(monorepo: Stage) -> None:
    team(monorepo, SEARCH, settings="project: [mono3\n")
    team(monorepo, BILLING, "invoices")
    commit(monorepo, "two teams")
    assert monorepo.run("validate").code == 0

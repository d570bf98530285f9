"""One module starts git, and gives it the repository, the settings and the environment that it chose."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.child_environment import child_environment
from reconciler.vcs.git import Git
from reconciler.vcs.git_process import GitUnavailableError, Repository, search_path
from tests.cli.stage import Stage
from tests.helpers.source import calls, nodes

STARTERS = {
    "vcs/git_process.py": "run",
    "cli/session/connect.py": "run",
    "notifications/deliver.py": "Popen",
    "requests/checks.py": "Popen",  # Python cannot interrupt a search for a pattern, only end its process
    "rows/query.py": "Popen",  # likewise for a query
}
"""The modules that start a process, and the function that each calls."""
WANTED = {
    "safe.bareRepository": "explicit",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "protocol.ext.allow": "never",
}
OTHER_WAYS = ("system", "popen", "startfile", "fork", "forkpty", "posix_spawn", "posix_spawnp")
OTHER_MODULES = {"pty", "multiprocessing", "asyncio", "pexpect", "_posixsubprocess"}


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Stage(tmp_path, capsys)


def test_no_other_code_starts_a_process() -> None:
    starts = []
    for path, node in nodes(
        rf"\b(?:subprocess|os\.(?:exec|spawn)|{'|'.join((*OTHER_WAYS, *OTHER_MODULES))})"
    ):
        match node:
            case ast.Import(names=names):
                imported = {name.name.split(".")[0] for name in names}
            case ast.ImportFrom(module=str(module), level=0):
                imported = {module.split(".")[0]}
                assert module != "subprocess", f"{path}: import the module, so that calls are found"
            case ast.Attribute(value=ast.Name(id="os"), attr=name):
                assert name not in OTHER_WAYS, f"{path}: os.{name}"
                assert not name.startswith(("exec", "spawn")), f"{path}: os.{name}"
                continue
            case ast.Call(func=ast.Attribute(value=ast.Name(id="subprocess"), attr=name), keywords=words):
                given = {word.arg for word in words}
                assert "env" in given, f"{path}: the child would get every variable"
                assert "shell" not in given, path
                starts.append((path, name))
                continue
            case _:
                continue
        assert not imported & OTHER_MODULES, path
        assert "subprocess" not in imported or path in STARTERS, path
    assert sorted(starts) == sorted(STARTERS.items()), "each module has one call"


def callers(name: str) -> list[str]:
    return [path for path, _, node in calls(name) if ast.unparse(node.func) == name]


def test_the_shared_ledger_is_opened_where_its_remote_is_checked() -> None:
    assert callers("GitLedger") == ["cli/session/find_ledgers.py"]


def test_the_host_is_chosen_where_no_file_of_the_project_is_asked() -> None:
    """A saved plan has a target too, which must be this one."""
    assert set(callers("Target")) == {"cli/session/target.py"}


def test_projects_are_loaded_where_their_state_is_checked() -> None:
    """`pulled` reads no state, and checks the results. `history` reads an old commit, without the cache."""
    assert callers("load_project") == ["cli/session/target.py", "pulled.py", "runs/history.py"]


def test_every_call_has_every_setting(stage: Stage) -> None:
    stage.commit("all")
    repository = Repository.find(stage.root)
    assert repository
    for name, value in WANTED.items():
        assert repository.run("config", "--get", name).stdout.decode() == f"{value}\n"


def test_a_linked_worktree_and_a_submodule_are_repositories(stage: Stage, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    stage.git("init", "--quiet", str(inner))
    (inner / "file").touch()
    stage.git("-C", str(inner), "add", ".")
    stage.git("-C", str(inner), "commit", "--quiet", "-m", "inner")
    commit = stage.commit("all")
    stage.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    stage.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "modules/one")
    linked, module = Git(tmp_path / "linked"), Git(tmp_path / "modules/one")
    (tmp_path / "linked/new").touch()
    assert linked.checkout(tmp_path / "linked").commit == commit
    assert linked.checkout(tmp_path / "linked").uncommitted == {"new"}
    assert linked.toplevel() == tmp_path / "linked"
    assert module.checkout(tmp_path / "modules/one").commit == stage.git(
        "-C", str(inner), "rev-parse", "HEAD"
    )
    assert module.tracked("FILE")
    assert not module.tracked("other")


def test_a_folder_that_is_only_a_bare_repository_is_none(stage: Stage, tmp_path: Path) -> None:
    """`.git` is there and no repository; what lies around it is, and must not be taken for it."""
    folder = tmp_path / "bare"
    stage.git("init", "--quiet", "--bare", str(folder))
    (folder / ".git").mkdir()
    subprocess.run(["git", "-C", str(folder), "rev-parse"], check=True)  # git takes it
    assert Git(folder).checkout(folder).commit == ""
    with pytest.raises(GitUnavailableError, match="git fails in"):
        Git(folder).tracked(".reconciler")


@pytest.mark.skipif(sys.platform == "win32", reason="links, and a root without a drive")
def test_a_folder_of_path_is_searched_only_outside_of_project_and_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, project, other = (tmp_path / name for name in ("here", "project", "other"))
    for folder in (here, project, other):
        (folder / "bin").mkdir(parents=True)
    (tmp_path / "link").symlink_to(project / "bin")
    monkeypatch.chdir(here)
    entries = ["", ".", "bin", "../other", here, here / "bin", project / "bin", tmp_path / "link", other]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, entries)))
    assert search_path(project) == [str(other)]
    monkeypatch.chdir("/")
    assert search_path(project) == [str(folder) for folder in (here, here / "bin", other)]
    monkeypatch.delenv("PATH")
    assert search_path(project) == os.defpath.split(os.pathsep)


def test_a_child_gets_what_is_listed_and_no_secret_under_any_name() -> None:
    key, token = "Sk-Very-Distinctive-Key", "ghs_0123456789"
    environ = {
        "HOME": "/home/ada",
        "LC_TIME": "C",
        "https_proxy": "http://proxy.example",
        "SystemRoot": "C:\\Windows",
        "NAMED": "yes",
        "OTHER": "x",
        "MISTRAL_API_KEY": key,
        "RECONCILER_TOKEN": token,
        "LANG": f"a{token}",
        "COPY": f"Bearer {key}",
        "IN_A_FILE": "a key from a file",
        "GIT_CONFIG_GLOBAL": "/x",
    }
    given = child_environment(
        environ, more=("NAMED", "COPY", "IN_A_FILE"), redact=lambda it: it.replace("a key from a file", "")
    )
    assert given == {
        name: environ[name] for name in ("HOME", "LC_TIME", "https_proxy", "SystemRoot", "NAMED")
    }

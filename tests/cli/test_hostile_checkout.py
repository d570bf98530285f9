"""A checkout that tries to run code through git, to forge the state of this tool, or to choose ledger or host."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from reconciler.vcs.git import Git
from tests.cli.stage import Stage

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts and links")

KEY = "Sk-Very-Distinctive-0123456789-Key"
TOKEN_HEADER = "AUTHORIZATION: basic eC1hY2Nlc3MtdG9rZW46Z2hz"  # noqa: S105 - made up
READERS = (
    ("validate",),
    ("plan",),
    ("apply", "--yes"),
    ("status",),
    ("render",),
    ("rerun", "tickets"),
    ("history",),
    ("ledger", "show"),
    ("outputs", "pull"),
    ("jobs", "list"),
    ("sandbox", "reset"),
)
"""Every kind of command that would believe what is in `.reconciler/`."""
REMOTE_READERS = (("plan",), ("apply", "--yes"), ("ledger", "show"), ("ledger", "pull"))


def git_dir() -> str:
    found = shutil.which("git")
    assert found
    return str(Path(found).parent)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@dataclass
class Spy:
    """A `git` that comes first in PATH, outside of the checkout, and writes down commands and environments."""

    folder: Path

    def __post_init__(self) -> None:
        there = self.folder / "spied"
        script(
            self.folder / "git",
            f'mkdir -p "{there}/$$"; echo "$*" > "{there}/$$/command"; env > "{there}/$$/env"\n'
            f'exec "{git_dir()}/git" "$@"',
        )

    def seen(self) -> list[tuple[str, dict[str, str]]]:
        """Return the subcommand and the environment of each call."""
        return [
            (
                re.sub("^(-c [^ ]+ )*", "", (call / "command").read_text()).split()[0],
                dict(line.split("=", 1) for line in (call / "env").read_text().splitlines() if "=" in line),
            )
            for call in (self.folder / "spied").iterdir()
        ]


@pytest.fixture
def spy(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Spy:
    folder = tmp_path_factory.mktemp("spy")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Spy(folder)


def test_a_bare_repository_beside_the_settings_is_not_asked_and_runs_nothing(
    tmp_path: Path, stage: Stage
) -> None:
    """To git, `HEAD`, `objects` and `refs` make a folder a repository, whose `config` names programs."""
    pwned = tmp_path / "pwned"
    stage.root = tmp_path / "repository/batch"
    stage.write("reconciler.yaml", "project: shop\n")
    stage.spec("tickets")
    stage.write("HEAD", "ref: refs/heads/main\n")
    stage.write("objects/.keep", "")
    stage.write("refs/.keep", "")
    script(stage.root / "x.sh", f"touch {pwned}")
    stage.write(
        "config",
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = ./x.sh\n"
        "[remote]\n\tpushDefault = evil\n",
    )
    stage.root, inside = stage.root.parent, stage.root
    commit = stage.commit("a pull request")
    stage.root = inside
    subprocess.run(["git", "status"], cwd=inside, check=False, capture_output=True)
    assert pwned.exists(), "or this test tests nothing: git itself falls for it"
    pwned.unlink()
    for argv in (("validate",), ("plan",), ("apply", "--yes"), ("history",), ("doctor",)):
        assert stage.run(*argv).code == 0
        assert not pwned.exists(), argv
    assert Git(inside).checkout(inside / "specs").commit == commit


def no_git(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(stage.root.parent / "empty"))


def an_archive_and_no_git(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `actions/checkout` makes of an image without git."""
    shutil.rmtree(stage.root / ".git")
    no_git(stage, monkeypatch)


def broken_index(stage: Stage, _: pytest.MonkeyPatch) -> None:
    (stage.root / ".git/index").write_bytes(b"broken")


def broken_repository(stage: Stage, _: pytest.MonkeyPatch) -> None:
    (stage.root / ".git/HEAD").unlink()


def another_owner(stage: Stage, _: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (stage.root, stage.root / ".git"):
        os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (no_git, "git is not installed"),
        (an_archive_and_no_git, "git is not installed"),
        (broken_index, "index file"),
        (broken_repository, "not a git repository"),
        (another_owner, "it belongs to another user"),
    ],
)
def test_state_that_git_cannot_vouch_for_is_refused_by_every_command(
    tmp_path: Path,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Stage, pytest.MonkeyPatch], None],
    why: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # its settings might trust every folder
    stage.root = tmp_path / "project"
    stage.write("reconciler.yaml", "project: shop\n")
    stage.spec("tickets")
    forged = stage.write(".reconciler/sandbox/shop/ledger.jsonl", "{}\n")
    stage.commit("a pull request")
    stage.git("add", "--force", ".reconciler")
    harm(stage, monkeypatch)
    for argv in READERS:
        refused = stage.run(*argv)
        assert (refused.code, refused.sent) == (1, []), argv
        assert ".reconciler/ may be part of the checkout, and forged by a pull request: " in refused.err
        assert re.search(why, refused.err)
    assert forged.read_text() == "{}\n"
    assert [path.name for path in (stage.root / ".reconciler").iterdir()] == ["sandbox"]


@pytest.mark.parametrize("folder", [".reconciler", ".RECONCILER", ".Reconciler"])
def test_state_that_git_tracks_is_refused_by_every_command_in_any_case(stage: Stage, folder: str) -> None:
    stage.spec("tickets")
    forged = stage.write(f"{folder}/sandbox/shop/ledger.jsonl", "{}\n")
    stage.commit("a pull request")
    stage.git("add", "--force", folder)
    for argv in READERS:
        refused = stage.run(*argv)
        assert (refused.code, refused.sent) == (1, []), argv
        assert "git tracks .reconciler/, so a pull request could forge the state" in refused.err
    assert forged.read_text() == "{}\n"


@pytest.mark.parametrize("committed", [True, False])
def test_state_behind_a_link_is_neither_read_nor_written_nor_deleted(
    tmp_path: Path, stage: Stage, *, committed: bool
) -> None:
    stage.root = tmp_path / "project"
    stage.write("reconciler.yaml", "project: shop\n")
    stage.spec("tickets")
    kept = tmp_path / "elsewhere/sandbox/kept"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    (stage.root / ".reconciler").symlink_to("../elsewhere")
    if committed:
        stage.commit("a pull request")
        stage.git("add", "--force", ".reconciler")
    for argv in READERS:
        refused = stage.run(*argv)
        assert (refused.code, refused.sent) == (1, []), argv
        assert ".reconciler is a link, and this tool neither reads nor writes through it" in refused.err
    assert [path.name for path in (tmp_path / "elsewhere").rglob("*")] == ["sandbox", "kept"]


def test_state_of_this_host_is_believed_with_git_and_without_a_repository(stage: Stage) -> None:
    stage.spec("tickets")
    assert stage.run("apply", "--yes").code == 0
    assert stage.run("plan").out.startswith("No changes.")
    stage.commit("in use")
    for argv in READERS:
        assert stage.run(*argv).code == 0, argv


@pytest.mark.parametrize("remote", ["evil", "a/../evil", "specs/../evil", "upstream"])
def test_a_remote_that_git_does_not_list_is_refused_with_its_place(stage: Stage, remote: str) -> None:
    """Git takes the name of no remote for a path, and runs the hooks of the repository that it finds there."""
    stage.environ |= {
        "RECONCILER_SANDBOX": "",
        "MISTRAL_API_KEY": KEY,
        "MISTRAL_BASE_URL": "http://127.0.0.1:9",
    }
    pwned = stage.root / "pwned"
    stage.spec("tickets")
    stage.write("a/.keep", "")
    stage.commit("in use")
    stage.git("remote", "add", "origin", "../nowhere")
    stage.git("init", "--quiet", "--bare", "evil")
    for hook in ("pre-receive", "post-update", "reference-transaction"):
        script(stage.root / "evil/hooks" / hook, f"touch {pwned}")
    stage.write("reconciler.yaml", f"project: shop\nledger: git\nledger_remote: {remote}\n")
    for argv in (*REMOTE_READERS, ("history", "--offline"), ("doctor",)):
        refused = stage.run(*argv)
        assert (refused.code, refused.sent) == (1, []), argv
        assert f"reconciler.yaml:3:16: ledger_remote: git lists no remote {remote}" in refused.err
        assert "name one that `git remote` prints" in refused.err
    assert not pwned.exists()
    assert not list((stage.root / "evil/refs").rglob("*reconciler*"))


def test_a_ledger_outside_of_a_repository_is_refused(stage: Stage) -> None:
    stage.environ |= {
        "RECONCILER_SANDBOX": "",
        "MISTRAL_API_KEY": KEY,
        "MISTRAL_BASE_URL": "http://127.0.0.1:9",
    }
    stage.write("reconciler.yaml", "project: shop\nledger: git\n")
    refused = stage.run("plan")
    assert (refused.code, refused.sent) == (1, [])
    assert "reconciler.yaml:1:1: ledger_remote: git lists no remote origin" in refused.err


def test_no_hook_runs_and_only_the_ledgers_calls_get_the_token_and_no_call_the_key(
    tmp_path: Path, stage: Stage, served: str, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwned = tmp_path / "pwned"
    stage.root = tmp_path / "project"
    stage.write("reconciler.yaml", "project: shop\nledger: git\nlimits: {settle_seconds: 0}\n")
    stage.spec("tickets")
    stage.commit("in use")
    stage.git("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    stage.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    for hook in ("pre-push", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        script(stage.root / ".git/hooks" / hook, f"touch {pwned}")
    stage.git("config", "core.hooksPath", ".git/hooks")
    shutil.rmtree(spy.folder / "spied")
    pwned.unlink(missing_ok=True)
    process = {
        "MISTRAL_API_KEY": KEY,
        "KEY_OF_CI": f"Bearer {KEY}",
        "RECONCILER_TOKEN": "ghs_0123456789abcdef",
        "GITHUB_TOKEN": "ghs_other",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": f"touch {pwned}",
        "GIT_DIR": str(tmp_path / "origin.git"),
        "GIT_EXTERNAL_DIFF": "x",
        "HTTPS_PROXY": f"http://me:{KEY}@proxy.example",
        "http_proxy": "http://proxy.example",
        "SSH_AUTH_SOCK": "/run/agent",
    }
    for name, value in process.items():
        monkeypatch.setenv(name, value)
    own = {"RECONCILER_LEDGER_HEADER": TOKEN_HEADER, "GITHUB_SERVER_URL": "https://github.com"}
    stage.environ = {"USER": "ada", "MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": served, **own}
    assert stage.run("apply", "--yes").code == 0
    calls = spy.seen()
    assert {"fetch", "push", "status", "commit-tree"} <= {command for command, _ in calls}
    for command, environ in calls:
        header = environ.pop("GIT_CONFIG_VALUE_0", "")
        assert (header == TOKEN_HEADER) is (command in ("fetch", "push")), command
        assert not [name for name, value in environ.items() if KEY in value or "ghs_" in value]
        assert environ["http_proxy"] == "http://proxy.example"
        assert environ["SSH_AUTH_SOCK"] == "/run/agent"
        chosen = environ.get("GIT_DIR"), environ.get("GIT_WORK_TREE")
        assert chosen == (f"{stage.root}/.git", str(stage.root)) or (command, *chosen) == (
            "rev-parse",
            None,
            None,
        )
        assert "GIT_EXTERNAL_DIFF" not in environ
    assert not pwned.exists()


@pytest.mark.parametrize("entry", ["", ".", "bin", "{cwd}", "{root}/bin", "{link}"])
def test_a_git_of_the_checkout_or_the_current_folder_is_never_run(
    tmp_path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    stage.root = tmp_path / "project"
    stage.write("reconciler.yaml", "project: shop\n")
    stage.spec("tickets")
    stage.commit("a pull request")
    cwd = tmp_path / "elsewhere"
    pwned = tmp_path / "pwned"
    for folder in (cwd, cwd / "bin", stage.root, stage.root / "bin"):
        for name in ("git", "git-remote-https", "ssh", "sh"):
            script(folder / name, f"touch {pwned}")
    (tmp_path / "link").symlink_to(stage.root / "bin")
    path = entry.format(cwd=cwd, root=stage.root, link=tmp_path / "link")
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}{git_dir()}")
    assert stage.run("plan").code == 0
    assert Git(stage.root).checkout(stage.root).commit
    assert not pwned.exists()
    monkeypatch.setenv("PATH", path)
    assert (
        "git is not installed: PATH has none outside of the project"
        in stage.run("doctor").out + stage.run("plan").err
    )
    assert not pwned.exists()


def test_a_separator_in_a_subject_a_name_or_a_path_is_text(stage: Stage) -> None:
    stage.spec("tickets", file="a\nb\x1e")
    stage.git("init", "--quiet", "--initial-branch=main")
    stage.git("config", "user.name", "Ada\x1f\x1eby hand")
    stage.commit("first\x1e\x1f0\x1f\x1fsecond")
    (first,) = Git(stage.root).commits_of(["specs/a\nb\x1e.yaml"])
    assert (first.subject, first.author) == ("first0second", "Ada")
    assert stage.run("history", "tickets").code == 0
    assert "first0second" in stage.run("history", "tickets").out
    assert Git(stage.root).files_declaring("tickets", below="specs") == ("specs/a\nb\x1e.yaml",)


class Unreachable(httpx.BaseTransport):
    """Writes down the host of each request, and fails."""

    def __init__(self, hosts: set[str]) -> None:
        self._hosts = hosts

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._hosts.add(request.url.host)
        raise httpx.ConnectError("unreachable", request=request)


CANDIDATES: tuple[tuple[str, str], ...] = (
    (".env", "MISTRAL_BASE_URL={url}\nMISTRAL_SERVER_URL={url}\n"),
    ("pyproject.toml", '[tool.reconciler]\nbase_url = "{url}"\n'),
    ("reconciler.toml", 'base_url = "{url}"\n'),
    ("specs/_defaults.yaml", "base_url: {url}\n"),
    ("specs/tickets.yaml", "base_url: {url}\n"),
    ("reconciler.yaml", "project: shop\nbase_url: {url}\n"),
    ("reconciler.yaml", "project: shop\nenvironment: {{MISTRAL_BASE_URL: '{url}'}}\n"),
    ("reconciler.yaml", "project: shop\nlimits: {{base_url: '{url}'}}\n"),
    (".netrc", "machine api.mistral.ai login x password y\n"),
    ("sitecustomize.py", "import os\nos.environ['MISTRAL_BASE_URL'] = '{url}'\n"),
)


@pytest.mark.parametrize(
    ("url", "ci"),
    [("http://127.0.0.1:9", "true"), ("https://2130706433", "woodpecker"), ("https://evil.example", "")],
)
def test_no_file_of_a_checkout_says_where_the_key_goes(stage: Stage, url: str, ci: str) -> None:
    """Not even to this machine: only `--base-url` and MISTRAL_BASE_URL name a host."""
    hosts: set[str] = set()
    for path, text in CANDIDATES:
        stage.environ = {"USER": "ada", "MISTRAL_API_KEY": KEY, "CI": ci}
        stage.write("reconciler.yaml", "project: shop\n")
        stage.spec("tickets")
        stage.write(path, text.format(url=url))
        for argv in (("plan",), ("apply", "--yes")):
            result = stage.run(
                *argv, env=lambda env: replace(env, wrap_transport=lambda _: Unreachable(hosts))
            )
            assert result.code == 1
            assert KEY not in result.out + result.err
            refused = path.startswith(("reconciler.yaml", "specs/"))
            assert ("unknown field" in result.err) is refused, result.err
        (stage.root / path).unlink()
    assert hosts == {"api.mistral.ai"}

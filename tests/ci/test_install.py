"""The action's own `run:` lines in a hostile checkout: pip and the tool are never those of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from reconciler.specs.scaffold import PINNED
from tests.ci.runner import ROOT

ACTION: Final = ROOT / ".github/actions/reconciler"
COMMIT: Final = "git+https://github.com/acme/reconciler@" + "0123456789abcdef" * 2 + "01234567"
WHEEL: Final = "https://files.example.org/mistral_batch_reconciler-0.1.0-py3-none-any.whl#sha256=" + "0a" * 32
# Notes what it is asked to install, and runs the pip that is found in this folder with these flags.
PYTHON: Final = f"""\
#!/bin/sh
flags=
while [ $# -gt 0 ] && [ "$1" != install ]; do flags="$flags $1"; shift; done
if [ $# -gt 0 ]; then
  for last in "$@"; do :; done
  echo "$last" >> "$INSTALLED"
  exec {sys.executable} $flags --version
fi
exec {sys.executable} $flags
"""
HOSTILE: Final = "import os, pathlib\npathlib.Path(os.environ['OWNED']).touch()\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the lines are played with bash")


@dataclass(frozen=True)
class Machine:
    """A runner whose checkout holds files named as pip, as this tool and as its build."""

    folder: Path
    action: Path
    """The folder of `action.yml`."""

    @property
    def owned(self) -> bool:
        """Whether a file of the checkout ran."""
        return (self.folder / "owned").exists()

    def installed(self) -> list[str]:
        path = self.folder / "installed"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def run(self, line: str, folder: str = "work", **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", line],
            cwd=self.folder / folder,
            env={
                "PATH": f"{self.folder / 'tools'}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.folder),
                "INSTALLED": str(self.folder / "installed"),
                "OWNED": str(self.folder / "owned"),
                "GITHUB_ACTION_PATH": str(self.action),
                "GITHUB_WORKSPACE": str(self.folder / "work"),
                **environ,
            },
            capture_output=True,
            check=False,
            text=True,
        )

    def step(self, name: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a step of the action."""
        steps: list[dict[str, Any]] = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))[
            "runs"
        ]["steps"]
        (found,) = (it for it in steps if it.get("name", "").startswith(name))
        folder = {"${{ runner.temp }}": "temp", None: "work"}[found.get("working-directory")]
        return self.run(found["run"], folder, **environ)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for folder in ("tools", "temp", "work/pip", "work/reconciler/cli/commands"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tools/python").write_text(PYTHON)
    (tmp_path / "tools/python").chmod(0o755)
    for path in (
        "pip/__init__.py",
        "pip/__main__.py",
        "reconciler/__init__.py",
        "reconciler/__main__.py",
        "reconciler/cli/commands/ci.py",
        "backend.py",
        "sitecustomize.py",
    ):
        (tmp_path / "work" / path).write_text(HOSTILE)
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (tmp_path / "work/pyproject.toml").write_text(build)
    return Machine(tmp_path, tmp_path / "work/.github/actions/reconciler")


@pytest.mark.parametrize("line", ["python -m pip install x", "python -m reconciler --version"])
def test_without_isolation_the_checkout_would_run(machine: Machine, line: str) -> None:
    machine.run(line)
    assert machine.owned


@pytest.mark.parametrize("source", [COMMIT, WHEEL])
def test_no_file_of_the_checkout_runs_or_is_installed_in_place_of_the_tool(
    machine: Machine, source: str
) -> None:
    done = machine.step("Install", RECONCILER_PACKAGE=source)
    assert done.returncode == 0, done.stderr
    assert machine.installed() == [
        str(machine.action / "requirements.txt"),
        f"mistral-batch-reconciler @ {source}",
    ]
    assert not machine.owned


def test_the_command_runs_the_installed_tool_and_not_the_checkouts(machine: Machine) -> None:
    done = machine.step("Run", RECONCILER_COMMAND="--help")
    assert "Usage: reconciler ci" in done.stdout
    assert not machine.owned


def test_the_checkout_is_installed_only_if_the_input_says_so(machine: Machine) -> None:
    assert machine.step("Install", RECONCILER_PACKAGE=".").returncode == 0
    assert machine.installed()[-1] == str(machine.folder / "work")


LOOSE: Final = (
    "",
    "mistral-batch-reconciler",
    "mistral-batch-reconciler==0.1.0",
    "./",
    "..",
    "git+https://github.com/acme/reconciler",
    "git+https://github.com/acme/reconciler@main",
    COMMIT[:-1],
    f"{COMMIT}0",
    COMMIT.upper(),
    COMMIT.replace("https", "http"),
    COMMIT.replace("github.com", "user:secret@github.com"),
    f"{COMMIT} --index-url https://evil.example",
    f"--index-url=https://evil.example {COMMIT}",
    f"{COMMIT}\n--pre",
    WHEEL.partition("#")[0],
    WHEEL[:-1],
    WHEEL.replace("#", "?x=1#"),
)


@pytest.mark.parametrize("source", LOOSE)
def test_what_is_not_pinned_is_refused_before_anything_is_installed(machine: Machine, source: str) -> None:
    done = machine.step("Install", RECONCILER_PACKAGE=source)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::The input package is not pinned: ")
    assert machine.installed() == []
    assert PINNED.fullmatch(source) is None, "`init` refuses what the action refuses"


def test_init_takes_what_the_action_takes() -> None:
    assert PINNED.fullmatch(COMMIT)
    assert PINNED.fullmatch(WHEEL)


LOCKS: Final = (ACTION / "requirements.txt", ROOT / ".ci/release.txt")


def locked(file: Path) -> dict[NormalizedName, str]:
    """Return the version and the options of each requirement in a list with digests."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def needed(*more: str) -> set[str]:
    """Return the names of all that a build needs, and `more`, as the installed packages say."""
    from importlib import metadata

    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    todo = [*document["build-system"]["requires"], *more]
    found: set[str] = set()
    while todo:
        requirement = Requirement(todo.pop())
        marked = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if marked and (name := canonicalize_name(requirement.name)) not in found:
            found.add(name)
            todo += metadata.requires(name) or []
    return found


def test_all_that_the_tool_needs_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = needed(*project["dependencies"], *extras["objects"], *extras["report"])
    assert wanted <= locked(LOCKS[0]).keys()


def test_all_that_a_release_needs_is_locked() -> None:
    assert needed("build") <= locked(LOCKS[1]).keys()


@pytest.mark.parametrize("file", LOCKS, ids=lambda file: file.name)
def test_each_dependency_is_locked_to_the_known_version_with_digests(file: Path) -> None:
    constraints = (ROOT / ".ci/constraints.txt").read_text(encoding="utf-8").splitlines()
    known: dict[str, str] = {
        canonicalize_name(name): version
        for name, _, version in (line.partition("#")[0].strip().partition("==") for line in constraints)
    }
    assert locked(file)
    for name, rest in locked(file).items():
        version, *options = rest.split()
        assert version == known[name]
        digests = [option for option in options if option.startswith("--hash=")]
        assert digests, name
        assert all(len(it.removeprefix("--hash=sha256:")) == 64 for it in digests)

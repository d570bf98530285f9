"""The wheel works outside of the clone: built here, installed into an environment of its own, run there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.specs.place import stamped
from reconciler.specs.scaffold import WORKFLOWS

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.thorough  # building and installing a wheel takes seconds


@dataclass(frozen=True)
class Installed:
    """An environment with our wheel and nothing else of ours."""

    wheel: Path
    paths: Mapping[str, str]
    cwd: Path
    """Far from the clone."""

    def run(self, command: str, *arguments: str) -> str:
        done = self.start(command, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, command: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment, with more variables, whatever its exit code."""
        program = Path(self.paths["scripts"]) / (f"{command}.exe" if os.name == "nt" else command)
        hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
        environ = {key: value for key, value in os.environ.items() if key not in hidden}
        return subprocess.run(
            [program, *arguments],
            cwd=self.cwd,
            env={**environ, "PYTHONUTF8": "1", **more},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )


def python(*arguments: str) -> None:
    """Run a module of the environment that the tests run in."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build with the backend that is here, and borrow the dependencies that are here: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    python(
        "build", "--wheel", "--no-isolation", "--skip-dependency-check", "--outdir", str(folder), str(ROOT)
    )
    (wheel,) = folder.glob("*.whl")
    home = folder / "environment"
    venv.create(home, with_pip=False)
    base = {"base": str(home), "platbase": str(home)}
    paths = {key: sysconfig.get_path(key, "venv", vars=base) for key in ("scripts", "purelib")}
    # A line of a .pth file adds a folder without the .pth files in it: the clone, if it is there, stays out.
    borrowed = dict.fromkeys(sysconfig.get_path(key) for key in ("purelib", "platlib"))
    Path(paths["purelib"], "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    interpreter = Path(paths["scripts"], "python.exe" if os.name == "nt" else "python")
    options = ("--no-deps", "--no-index", "--no-compile", "--quiet", "--disable-pip-version-check")
    python("pip", "--python", str(interpreter), "install", *options, str(wheel))
    return Installed(wheel=wheel, paths=paths, cwd=tmp_path_factory.mktemp("elsewhere"))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_schemas_and_the_licence_and_nothing_of_the_tests(installed: Installed) -> None:
    found = names(installed.wheel)
    here = {f"reconciler/schemas/{path.name}" for path in (ROOT / "schemas").iterdir()}
    assert here
    assert found >= here | {
        "reconciler/py.typed",
        "reconciler/__main__.py",
        "reconciler/catalogue/models.json",
    }
    assert any(name.endswith("/licenses/LICENSE") for name in found)
    assert {name.partition("/")[0].partition("-")[0] for name in found} == {
        "reconciler",
        "mistral_batch_reconciler",
        "mistral_batch_reconciler.py",
    }


@pytest.mark.parametrize("command", ["reconciler", "mistral-batch-reconciler"])
def test_both_commands_run_outside_of_the_clone(command: str, installed: Installed) -> None:
    assert installed.run(command, "--version") == f"reconciler {__version__}\n"


def test_what_runs_there_is_the_wheel(installed: Installed) -> None:
    where = installed.run("python", "-c", "import reconciler; print(reconciler.__file__)")
    assert Path(where.strip()).is_relative_to(installed.paths["purelib"])


@pytest.mark.parametrize("name", ["job", "event"])
def test_a_schema_is_printed_from_the_wheel(name: str, installed: Installed) -> None:
    printed = json.loads(installed.run("reconciler", "schema", name))
    here = json.loads((ROOT / f"schemas/{name}.schema.json").read_text(encoding="utf-8"))
    assert printed == here


def test_a_repository_is_begun_from_the_wheel(installed: Installed) -> None:
    """The workflows and schemas travel with it, and a plan on the sandbox follows."""
    home = installed.cwd / "begun"
    home.mkdir()
    there = replace(installed, cwd=home)
    commit = "0a" * 20
    origin = {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": commit}}
    (record,) = Path(installed.paths["purelib"]).glob("mistral_batch_reconciler-*.dist-info/direct_url.json")
    record.write_text(json.dumps(origin), encoding="utf-8")  # as if pip had installed from git
    there.run("reconciler", "init", "--kubernetes")
    image = (home / "kubernetes/Containerfile").read_text(encoding="utf-8")
    assert f"ARG PACKAGE=git+https://example.org/a.git@{commit}\n" in image
    source = f"package: git+https://example.org/a.git@{commit}\n".encode()
    for path in (*WORKFLOWS, "schemas/job.schema.json"):
        here = (ROOT / path).read_bytes().replace(b"\r\n", b"\n")
        assert (home / path).read_bytes() == stamped(path, here.replace(b"package: .\n", source)).content
    assert "+ create  example  new · 3 requests" in there.run("reconciler", "plan", "--sandbox")


@pytest.mark.parametrize(
    "text", ["import a_module_that_is_not_there\n", "__version__ = None\nfrom . import nothing\n", "", None]
)
def test_a_package_of_the_same_name_that_replaced_ours_is_named(
    text: str | None, installed: Installed
) -> None:
    ours = Path(installed.paths["purelib"], "reconciler/__init__.py")
    before = ours.read_bytes()
    try:
        ours.unlink() if text is None else ours.write_text(text, encoding="utf-8")
        done = installed.start("reconciler", "validate")
    finally:
        ours.write_bytes(before)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {ours} is missing or not as pip installed it: another package")
    assert "Traceback" not in done.stderr


def test_an_import_that_fails_for_another_reason_keeps_its_own_words(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "click.py").write_text("raise ImportError('click is broken')\n", encoding="utf-8")
    done = installed.start("reconciler", "validate", PYTHONPATH=str(tmp_path))
    assert "ImportError: click is broken" in done.stderr
    assert "another package" not in done.stderr

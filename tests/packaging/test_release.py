"""A release: two builds are the same and hold what is listed; no job has rights that it does not need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import __version__
from reconciler.specs import scaffold
from tools.release import contents, sbom

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / ".github/actions/reconciler/requirements.txt"
TRACKED = (
    ".ci/run",
    ".github/workflows/ci.yml",
    ".github/workflows/plan.yml",
    "mistral_batch_reconciler.py",
    "reconciler/__init__.py",
    "schemas/job.schema.json",
    "tests/test_x.py",
)
INFO = "mistral_batch_reconciler-0.1.0.dist-info"
WHEEL = {
    "mistral_batch_reconciler.py",
    "reconciler/__init__.py",
    "reconciler/schemas/job.schema.json",
    "reconciler/templates/.github/workflows/plan.yml",
    f"{INFO}/METADATA",
    f"{INFO}/RECORD",
    f"{INFO}/WHEEL",
    f"{INFO}/entry_points.txt",
    f"{INFO}/licenses/LICENSE",
}


def wheel(folder: Path, names: set[str]) -> Path:
    file = folder / "mistral_batch_reconciler-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return file


@pytest.mark.parametrize(
    ("more", "less", "said"),
    [
        (set(), set(), []),
        ({"tests/test_x.py"}, set(), ["tests/test_x.py should not be in it"]),
        ({"reconciler/.env"}, set(), ["reconciler/.env should not be in it"]),
        ({"evil.pth"}, set(), ["evil.pth should not be in it"]),
        (
            {"reconciler/templates/.github/workflows/ci.yml"},
            {"reconciler/__init__.py"},
            [
                "reconciler/templates/.github/workflows/ci.yml should not be in it",
                "reconciler/__init__.py is missing",
            ],
        ),
    ],
)
def test_each_name_that_is_not_listed_or_is_missing_is_a_problem(
    tmp_path: Path, more: set[str], less: set[str], said: list[str]
) -> None:
    file = wheel(tmp_path, (WHEEL | more) - less)
    assert contents.problems(file, TRACKED, "0.1.0") == [f"{file.name}: {line}" for line in said]


def test_the_wheel_carries_each_file_that_init_writes() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = document["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    carried = {path: to for path, to in included.items() if to.startswith("reconciler/templates/")}
    assert carried == {path: f"reconciler/templates/{path}" for path in scaffold.WORKFLOWS}


def release(out: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.release", str(out)]
    env = {**os.environ, **environ}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False, text=True)


@pytest.mark.thorough
def test_the_checked_out_commit_is_built_twice_and_listed(tmp_path: Path) -> None:
    done = release(tmp_path, TAG=f"v{__version__}")
    assert done.returncode == 0, done.stderr
    stem = f"mistral_batch_reconciler-{__version__}"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*")) == [
        f"packages/{stem}-py3-none-any.whl",
        f"packages/{stem}.tar.gz",
        f"sbom/{stem}.cdx.json",
    ]
    assert len(re.findall(rf"^[0-9a-f]{{64}}  {stem}", done.stdout, re.MULTILINE)) == 3


@pytest.mark.thorough
def test_a_tag_of_another_version_builds_nothing(tmp_path: Path) -> None:
    done = release(tmp_path / "out", TAG="v99.0.0")
    assert done.returncode == 1
    assert done.stderr.endswith(f"the tag v99.0.0 is not v{__version__}, the version of the package\n")
    assert not (tmp_path / "out").exists()


def test_the_list_of_components_has_each_version_with_every_digest() -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    found = json.loads(sbom.document(text, "0.1.0"))
    pinned = re.findall(r"^([\w.-]+)==([^ \\]+)", text, re.MULTILINE)
    assert [(it["name"], it["version"]) for it in found["components"]] == pinned
    digests = [
        reference["hashes"][0]["content"]
        for it in found["components"]
        for reference in it["externalReferences"]
    ]
    assert sorted(digests) == sorted(re.findall(r"sha256:([0-9a-f]{64})", text))
    assert len(found["dependencies"][0]["dependsOn"]) == len(pinned)


def test_no_job_of_a_release_may_do_more_than_its_step_needs() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    jobs: dict[str, Any] = yaml.safe_load(text)["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "attest": {"id-token": "write", "attestations": "write"},
        "pypi": {"id-token": "write"},
        "page": {"contents": "write"},
    }
    assert [name for name, job in jobs.items() if "environment" in job] == ["pypi"]
    for name, job in jobs.items():  # a job that may write runs no code of the checkout and installs nothing
        words = json.dumps(job["steps"])
        assert ("actions/checkout" in words or "pip" in words.replace("pypi", "")) is (name == "build")

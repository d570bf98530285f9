"""The files for other systems: they keep to their schemas, and their commands plan and apply."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.ci.runner import ROOT
from tests.cli.stage import Stage

PAGE: Final = (ROOT / "docs/ci-elsewhere.md").read_text(encoding="utf-8")
FILES: Final[dict[str, str]] = dict(
    re.findall(r"```\w*\n(?:#!/bin/sh\n)?(?:#|//) (\S+)\n(.*?)```", PAGE, re.DOTALL)
)
SCHEMAS: Final = {".gitlab-ci.yml": "gitlab-ci", "azure-pipelines.yml": "azure-pipelines"}
PIPELINES: Final = (*SCHEMAS, "Jenkinsfile")
CRON: Final = "/usr/local/bin/reconciler-apply"
WRITTEN: Final = {"plan.json", "plan.md", "done.md", "observed.json"}


def test_the_page_has_each_file() -> None:
    assert list(FILES) == [*PIPELINES, CRON, "/etc/cron.d/reconciler"]


def check(schema: str, file: Path) -> int:
    """Hold a file to one of the schemas that travel with check-jsonschema: nothing is fetched."""
    command = [sys.executable, "-m", "check_jsonschema", "--regex-variant=python"]
    return subprocess.run(
        [*command, "--builtin-schema", f"vendor.{schema}", str(file)], capture_output=True, check=False
    ).returncode


@pytest.mark.thorough
@pytest.mark.parametrize("name", SCHEMAS)
def test_each_file_keeps_to_its_schema(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yml"
    file.write_text(FILES[name], encoding="utf-8")
    assert check(SCHEMAS[name], file) == 0
    file.write_text(FILES[name].replace("script:", "scripts:"), encoding="utf-8")
    assert check(SCHEMAS[name], file) == 1


def commands(name: str) -> list[list[str]]:
    """Return the command lines of the tool in a file, in order."""
    found = re.findall(
        r"""^\s*(?:- |exec )?("?\S*\breconciler"? (?:validate|plan|apply|jobs).*)$""",
        FILES[name],
        re.MULTILINE,
    )
    return [shlex.split(line)[1:] for line in found]


@pytest.mark.parametrize("name", PIPELINES)
def test_the_commands_of_a_file_validate_plan_and_apply(name: str, stage: Stage) -> None:
    stage.spec("one")
    done = [stage.run(*command) for command in commands(name)]
    assert [it.argv[0] for it in done][:3] == ["validate", "plan", "apply"]
    assert [it.code for it in done] == [0] * len(done)
    assert [it.argv[0] for it in done if it.writes] == ["apply"]
    assert len(stage.jobs()) == 1
    written = {path.name for path in stage.root.iterdir() if path.suffix in {".json", ".md"}}
    assert written == {it for it in WRITTEN if it in FILES[name]}


@pytest.mark.parametrize("name", PIPELINES)
def test_dependencies_are_installed_with_digests_and_the_tool_without_others(name: str) -> None:
    lines = re.findall(r"-I -m pip install (.*)", FILES[name])
    assert lines
    for dependencies, tool in zip(lines[::2], lines[1::2], strict=True):
        assert "--only-binary :all: --require-hashes -r reconciler-requirements.txt" in dependencies
        assert "--no-deps --no-build-isolation" in tool
        assert re.search(r"mistral-batch-reconciler @ \$\(?PACKAGE", tool)
    assert "pip install" not in re.sub(r"-I -m pip install", "", FILES[name])


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="the script is one of a shell")
def test_the_script_for_cron_applies_what_the_remote_declares_now(stage: Stage, tmp_path: Path) -> None:
    stage.git("init", "--quiet", "--initial-branch=master")
    stage.spec("one")
    stage.commit("the first spec")
    clone = tmp_path / "clone"
    stage.git("clone", "--quiet", str(stage.root), str(clone))
    stage.spec("two")
    stage.commit("another")
    key = tmp_path / "key"
    key.write_text("sandbox-key-of-the-script\n")
    script = FILES[CRON]
    for old, new in {
        "/srv/batches": str(clone),
        "/opt/reconciler/bin/reconciler": f"{sys.executable} -m reconciler",
        "/etc/reconciler/key": str(key),
    }.items():
        assert script.count(old) == 1
        script = script.replace(old, new)
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "RECONCILER_SANDBOX": "1",
    }
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environ, capture_output=True, check=False, text=True
    )
    assert (done.returncode, "2 created" in done.stdout) == (0, True), done.stderr
    head = (clone / ".git/HEAD").read_text(encoding="utf-8")
    assert head == "ref: refs/heads/master\n", "`apply.only_from` refuses a detached checkout"

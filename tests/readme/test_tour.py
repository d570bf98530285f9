"""The README's tour is real: its commands are run, and its output is compared.

`BLESS=1 pytest tests/readme` writes the output into the README; read the diff, then commit.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stage import Stage

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
STEP_SECONDS = 2.0


@pytest.mark.skipif(sys.platform == "win32", reason="the tour uses cat, echo and rm")
def test_tour_shows_what_really_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- tour -->")
    tour, _, after = rest.partition("<!-- /tour -->")
    stage = Stage(tmp_path, capsys)
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    shutil.copy(ROOT / "reconciler.yaml", tmp_path)
    stage.environ.pop("RECONCILER_SANDBOX")
    stage.commit("the examples")
    played = BLOCK.sub(lambda block: f"```console\n{play(stage, block[1])}```", tour)
    if os.environ.get("BLESS"):
        README.write_text(f"{before}<!-- tour -->{played}<!-- /tour -->{after}", encoding="utf-8")
    assert played == tour


def play(stage: Stage, block: str) -> str:
    """Run the commands of a block and return them with their output."""
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    parts = []
    for command in commands:
        stage.advance(STEP_SECONDS)
        parts += [f"$ {command}\n", output(stage, command)]
    return "".join(parts)


def output(stage: Stage, command: str) -> str:
    """Run one command: ours inside this process, the rest in a shell."""
    argv, _, target = command.partition(" > ")
    if not argv.startswith("reconciler "):
        done = subprocess.run(["sh", "-c", command], cwd=stage.root, capture_output=True, check=True)
        return done.stdout.decode()
    result = stage.run(*shlex.split(argv)[1:])
    assert result.code == 0, result.err
    if target:
        (stage.root / target).write_text(result.out, encoding="utf-8")
        return ""
    return result.out

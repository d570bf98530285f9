"""The recipes on a history are real: their scripts are written, their commands run, and their output compared.

`BLESS=1 pytest tests/recipes -n 0` writes the output into the page; read the diff, then commit.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.stage import UNSTEADY, Stage
from tests.readme.test_tour import play
from tests.recipes.test_recipes import CONSOLE, FILE

PAGE = Path(__file__).parents[2] / "docs/history.md"


def lived(stage: Stage) -> None:
    """A project with a past of two days."""
    stage.spec("answers", requests=40, model="mistral-small-2603")
    stage.spec("broken", model="sandbox-unknown-x", retry={"max_attempts": 2})
    stage.commit("The first two")
    stage.run("apply", "--yes", "--wait")
    stage.advance(86_400)
    stage.environ["USER"] = "grace"
    stage.spec("partly", model="mistral-large-2512", checks={"failed": 0.5})
    stage.write("specs/data/partly.jsonl", UNSTEADY)
    stage.commit("Another one")
    stage.run("apply", "--yes", "--wait")


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.skipif(
    not (importlib.util.find_spec("duckdb") and importlib.util.find_spec("pandas")),
    reason="DuckDB or pandas is not installed",
)
def test_the_recipes_on_a_history_do_what_they_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, recipes = text.partition("## Recipes\n")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    stage = Stage(tmp_path, capsys)
    lived(stage)
    stage.environ.pop("RECONCILER_SANDBOX")
    for path, content in FILE.findall(recipes):
        stage.write(path, content)
    played = CONSOLE.sub(lambda block: f"```console\n{play(stage, block[1])}```", recipes)
    if os.environ.get("BLESS"):
        PAGE.write_text(f"{before}## Recipes\n{played}", encoding="utf-8")
    assert played == recipes


def test_every_check_of_verify_is_on_the_page() -> None:
    from reconciler.history import audit

    page = PAGE.read_text(encoding="utf-8").split("## Verify\n")[1].split("## Recipes\n")[0]
    source = Path(audit.__file__).read_text(encoding="utf-8")
    named = [line.split()[0] for line in source.split('"""')[1].splitlines()[3:] if line.strip()]
    assert named
    assert all(f"| `{check}` |" in page for check in named)

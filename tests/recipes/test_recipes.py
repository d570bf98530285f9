"""The page of recipes is real: its specs and scripts are written, its commands run, and their output compared.

`BLESS=1 pytest tests/recipes -n 0` writes the output into the page; read the diff, then commit.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.stage import Stage
from tests.readme.test_tour import play

PAGE = Path(__file__).parents[2] / "docs/recipes.md"
FILE = re.compile(r"```(?:yaml|python)\n# (\S+)\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def nights(stage: Stage) -> None:
    for day in (19, 20, 21):
        stage.lines(f"specs/nights/2026-11-{day}.jsonl", 4, text=f"night {day}")
    stage.lines("tonight.jsonl", 5, text="night 22")


def shards(stage: Stage) -> None:
    for shard in range(12):
        stage.passages(f"specs/shards/part-{shard:04}.jsonl", 50, text=f"shard {shard}")


def questions(stage: Stage) -> None:
    stage.lines("specs/questions.jsonl", 20)


def catalogue(stage: Stage) -> None:
    stage.passages("specs/catalogue.jsonl", 30)


def products(stage: Stage) -> None:
    stage.write("catalogue.csv", "sku,name\nb-2,Étagère\na-1,Lamp\n")


DATA: dict[str, Callable[[Stage], None]] = {
    "A file every night": nights,
    "Shards of a backfill": shards,
    "Models compared": questions,
    "The same work each week": catalogue,
    "Prompts made by a script": products,
}


def test_every_recipe_is_known() -> None:
    assert re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(DATA)


@pytest.mark.skipif(sys.platform == "win32", reason="the recipes use ls and cp")
@pytest.mark.parametrize("title", DATA)
def test_a_recipe_does_what_it_says(
    title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"## {title}\n")
    section = text[start : text.find("\n## ", start) if "\n## " in text[start:] else None]
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    stage = Stage(tmp_path, capsys)
    stage.environ.pop("RECONCILER_SANDBOX")
    DATA[title](stage)
    for path, content in FILE.findall(section):
        stage.write(path, content)
    played = CONSOLE.sub(lambda block: f"```console\n{play(stage, block[1])}```", section)
    if os.environ.get("BLESS"):
        PAGE.write_text(text.replace(section, played), encoding="utf-8")
    assert played == section


def test_the_script_writes_the_same_bytes_whatever_the_order_of_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import subprocess

    stage = Stage(tmp_path, capsys)
    ((_, script),) = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    stage.write("prompts.py", script)
    found = []
    for rows in ("b-2,Étagère\na-1,Lamp\n", "a-1,Lamp\r\nb-2,Étagère\r\n"):
        stage.write("catalogue.csv", f"sku,name\n{rows}")
        subprocess.run([sys.executable, "prompts.py"], cwd=tmp_path, check=True)
        found.append((tmp_path / "specs/made/texts.jsonl").read_bytes())
    assert found[0] == found[1]

"""The page of results is real, as the page of recipes is: its commands are run, and their output compared.

`BLESS=1 pytest tests/recipes -n 0` writes the output into the page; read the diff, then commit.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.stage import Stage
from tests.readme.test_tour import play
from tests.recipes.test_recipes import CONSOLE, FILE

PAGE = Path(__file__).parents[2] / "docs/results.md"
TICKETS = ("t-1", "t-2", "t-3!fail", "t-4")


def job_for(stage: Stage, prompt: str = "ticket") -> None:
    """Two jobs that have ended, one with a failed request."""
    rows = [
        {"custom_id": each, "body": {"messages": [{"role": "user", "content": f"{prompt} {each}"}]}}
        for each in TICKETS
    ]
    stage.write("specs/tickets.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    stage.passages("specs/texts.jsonl", 5)
    for name, endpoint, model in (
        ("tickets", "chat/completions", "mistral-small-latest"),
        ("texts", "embeddings", "mistral-embed"),
    ):
        fields = f"endpoint: /v1/{endpoint}\nmodel: {model}\ninput_files: [{name}.jsonl]\n"
        stage.write(f"specs/{name}.yaml", f"name: {name}\n{fields}")
    assert stage.run("apply", "--yes", "--sandbox").code == 0
    stage.advance(60)


def pulled(stage: Stage) -> None:
    """The same, and pulled, after an earlier prompt was pulled: recipes must not read that one."""
    for prompt in ("an earlier prompt, with many more words in it, for ticket", "ticket"):
        job_for(stage, prompt)
        assert stage.run("outputs", "pull", "--sandbox").code == 0
    assert len([*(stage.root / "outputs/tickets/jobs").iterdir()]) == 2


def declared(stage: Stage) -> None:
    """One spec whose job is not created yet."""
    stage.passages("specs/texts.jsonl", 5)
    fields = "endpoint: /v1/embeddings\nmodel: mistral-embed\ninput_files: [texts.jsonl]\n"
    stage.write("specs/texts.yaml", f"name: texts\n{fields}")


DATA: dict[str, tuple[Callable[[Stage], None], str]] = {
    "Pull": (job_for, ""),
    "As a table": (pulled, ""),
    "From Python": (pulled, ""),
    "With jq": (pulled, "jq"),
    "With DuckDB": (pulled, "duckdb"),
    "With pandas": (pulled, "pandas"),
    "With Polars": (pulled, "polars"),
    "Notifications": (declared, ""),
}
"""What each section begins with, and the program or package that it needs."""


def test_every_section_with_commands_is_known() -> None:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [each.split("\n")[0] for each in sections if "```console" in each] == list(DATA)


@pytest.mark.needs_ledger("every run reports the same ends again")
@pytest.mark.skipif(sys.platform == "win32", reason="the recipes use ls and sh")
@pytest.mark.parametrize("title", DATA)
def test_a_recipe_does_what_it_says(
    title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, needed = DATA[title]
    if needed and not shutil.which(needed) and not importlib.util.find_spec(needed):
        pytest.skip(f"{needed} is not installed")
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"## {title}\n")
    section = text[start : text.find("\n## ", start) if "\n## " in text[start:] else None]
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("COLUMNS", "120")
    stage = Stage(tmp_path, capsys)
    stage.environ.pop("RECONCILER_SANDBOX")
    stage.environ["PATH"] = os.environ["PATH"]
    for path, content in FILE.findall(section):
        stage.write(path, content)
    prepare(stage)
    played = CONSOLE.sub(lambda block: f"```console\n{play(stage, block[1])}```", section)
    if os.environ.get("BLESS"):
        PAGE.write_text(text.replace(section, played), encoding="utf-8")
    assert played == section

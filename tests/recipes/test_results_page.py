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
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.stage import Stage
from tests.helpers.thorough import thorough
from tests.readme.test_tour import play
from tests.recipes.test_recipes import CONSOLE, FILE

PAGE = Path(__file__).parents[2] / "docs/results.md"
TICKETS = ("t-1", "t-2", "t-3!fail-400", "t-4")


def declare(
    stage: Stage,
    prompt: str = "ticket",
    *,
    ids: Sequence[str] = TICKETS,
    texts: int = 5,
    model: str = "mistral-small-2603",
    embed: str = "mistral-embed-2312",
) -> None:
    """Write the specs of tickets and texts."""
    rows = [
        {"custom_id": each, "body": {"messages": [{"role": "user", "content": f"{prompt} {each}"}]}}
        for each in ids
    ]
    stage.write("specs/tickets.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    stage.passages("specs/texts.jsonl", texts)
    for name, endpoint, of in (("tickets", "chat/completions", model), ("texts", "embeddings", embed)):
        fields = f"endpoint: /v1/{endpoint}\nmodel: {of}\ninput_files: [{name}.jsonl]\n"
        stage.write(f"specs/{name}.yaml", f"name: {name}\n{fields}")


def job_for(stage: Stage, prompt: str = "ticket") -> None:
    """Two jobs that have ended, one with a failed request."""
    declare(stage, prompt)
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
    fields = "endpoint: /v1/embeddings\nmodel: mistral-embed-2312\ninput_files: [texts.jsonl]\n"
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


def section_of(title: str) -> str:
    """Return a section of the page."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"## {title}\n")
    return text[start : text.find("\n## ", start) if "\n## " in text[start:] else None]


def stage_for(
    title: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Stage:
    """Return a stage with the files of a section, or skip it if what it needs is not installed."""
    needed = DATA[title][1]
    if needed and not shutil.which(needed) and not importlib.util.find_spec(needed):
        pytest.skip(f"{needed} is not installed")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("COLUMNS", "120")
    stage = Stage(root, capsys)
    stage.environ.pop("RECONCILER_SANDBOX")
    stage.environ["PATH"] = os.environ["PATH"]
    for path, content in FILE.findall(section_of(title)):
        stage.write(path, content)
    return stage


def test_every_section_with_commands_is_known() -> None:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [each.split("\n")[0] for each in sections if "```console" in each] == list(DATA)


@pytest.mark.needs_ledger("every run reports the same ends again")
@pytest.mark.skipif(sys.platform == "win32", reason="the recipes use ls and sh")
@pytest.mark.parametrize("title", DATA)
def test_a_recipe_does_what_it_says(
    title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, _ = DATA[title]
    text = PAGE.read_text(encoding="utf-8")
    section = section_of(title)
    stage = stage_for(title, tmp_path, capsys, monkeypatch)
    prepare(stage)
    played = CONSOLE.sub(lambda block: f"```console\n{play(stage, block[1])}```", section)
    if os.environ.get("BLESS"):
        PAGE.write_text(text.replace(section, played), encoding="utf-8")
    assert played == section


READERS = [title for title in DATA if DATA[title][0] is pulled]
"""The sections that read pulled results."""
NEWER = {
    "not created": ("mistral-small-2603", "mistral-embed-2312", -1),
    "running": ("mistral-small-2603", "mistral-embed-2312", 0),
    "failed": ("sandbox-unknown-chat", "sandbox-unknown-embed", 60),
}
"""Models of the newer work of the names, which has no answers, and for how many seconds its jobs exist."""
PULLS = [(newer, option) for newer in NEWER for option in ("", "--current")]
"""The newer work, and an option of `outputs pull`."""
QUICK = {("not created", "--current"), ("running", ""), ("failed", "")}
CASES = [
    (title, case)
    if case == ("failed", "") or (title == READERS[0] and case in QUICK)
    else thorough(title, case)
    for title in READERS
    for case in PULLS
]
"""By default, every section reads beside a newer job without answers, and the first also beside other newer work."""


def read(stage: Stage, title: str) -> str:
    """Read the results by every command of a section, and return what they print."""
    return "".join(play(stage, block) for block in CONSOLE.findall(section_of(title)))


def of_earlier_work(text: str) -> str:
    """Return what commands print about current results as they print it about those of earlier work."""
    text = re.sub(r"(?m)^True(?= \[)", "False", text)
    return re.sub(r"(?m)^(texts|tickets)\ttrue", r"\1\tfalse", text)


@pytest.mark.needs_ledger("every run reports the same ends again")
@pytest.mark.skipif(sys.platform == "win32", reason="the recipes use ls and sh")
@pytest.mark.parametrize(("title", "case"), CASES)
def test_every_recipe_reads_the_old_run_until_the_new_one_has_answers_and_then_only_that(
    title: str,
    case: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person improves a prompt, adds two tickets and three texts, and runs again."""
    stage = stage_for(title, tmp_path / "both", capsys, monkeypatch)
    newer, option = case
    pull = ("outputs", "pull", "--sandbox", *filter(None, [option]))
    declare(stage, "an earlier prompt, with many more words", ids=(TICKETS[0], TICKETS[2]), texts=2)
    assert stage.run("apply", "--yes", "--sandbox").code == 0
    stage.advance(60)
    assert stage.run(*pull).code == 0
    old = read(stage, title)

    model, embed, seconds = NEWER[newer]
    declare(stage, model=model, embed=embed)
    if seconds >= 0:
        assert stage.run("apply", "--yes", "--sandbox").code == 0
        stage.advance(seconds)
    assert stage.run(*pull).code == 0
    during = read(stage, title)
    assert during == of_earlier_work(old)

    declare(stage)
    assert stage.run("apply", "--yes", "--sandbox").code == 0
    stage.advance(60)
    assert stage.run(*pull).code == 0
    alone = stage_for(title, tmp_path / "alone", capsys, monkeypatch)
    job_for(alone)
    assert alone.run(*pull).code == 0
    assert read(stage, title) == read(alone, title) != during

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from reconciler.model import Target
from reconciler.planning.planner import RULES
from reconciler.plans import plan_file
from reconciler.plans.action_documents import CreateDoc
from reconciler.plans.document import FORMAT_VERSION, DecisionDoc, PlanDoc, SummaryDoc
from reconciler.plans.settings_document import SettingsDoc
from tools.generate import GENERATED, ROOT, Generated, difference, markdown, planner_pages, write


@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.path)
def test_a_generated_file_is_current(row: Generated) -> None:
    assert difference(row) == ""


def test_no_file_is_generated_twice() -> None:
    assert len({row.path for row in GENERATED}) == len(GENERATED)


def test_every_schema_in_the_repository_is_generated() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "schemas").iterdir()}
    assert found == {row.path for row in GENERATED if row.path.startswith("schemas/")}


@pytest.mark.parametrize("path", sorted((ROOT / "schemas").glob("*.json")), ids=lambda path: path.name)
def test_every_schema_is_one(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_what_is_not_current_is_shown_and_written(tmp_path: Path) -> None:
    row = Generated("docs/page.md", lambda: "one\ntwo\n")
    assert "+two" in difference(row, tmp_path)
    assert write([row], tmp_path) == ["docs/page.md"]
    assert difference(row, tmp_path) == ""
    assert write([row], tmp_path) == []
    (tmp_path / "docs/page.md").write_text("one\nthree\n", encoding="utf-8")
    assert "-three" in difference(row, tmp_path)


def test_a_missing_last_line_break_is_a_difference_too(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("one", encoding="utf-8")
    assert difference(Generated("page.md", lambda: "one\n"), tmp_path)


def test_the_check_says_that_all_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{len(GENERATED)} generated files are current\n")


def test_the_planner_page_has_every_rule() -> None:
    page = planner_pages.page()
    assert all(f"| `{rule.standing}` |" in page for rule in RULES)


def test_a_saved_plan_is_as_its_schema_says() -> None:
    summary = SummaryDoc(
        create=1,
        replace=0,
        cancel=0,
        hold=0,
        unchanged=0,
        attention=0,
        again=0,
        requests=3,
        requests_unknown=0,
        requests_in_all=3,
        lost_answers=0,
    )
    document = PlanDoc(
        format_version=FORMAT_VERSION,
        tool_version="0.1.0",
        created_at="2025-11-21T12:00:00Z",
        target=Target(base_url="https://api.mistral.ai", project="search-batch"),
        summary=summary,
        decisions=(
            DecisionDoc(
                name="nightly",
                standing="not_submitted",
                actions=(
                    CreateDoc(
                        reason="new", work="v1:0", requests=3, endpoint="/v1/ocr", settings=SettingsDoc()
                    ),
                ),
            ),
        ),
    )
    schema = json.loads((ROOT / "schemas/plan.schema.json").read_text(encoding="utf-8"))
    saved = msgspec.json.decode(plan_file.encode(document))
    assert not list(Draft202012Validator(schema).iter_errors(saved))
    saved["plan"]["decisions"][0]["actions"][0]["action"] = "explode"
    assert list(Draft202012Validator(schema).iter_errors(saved))


def test_a_cell_stays_a_cell() -> None:
    assert markdown.table(["a"], [["x|y\nz"]]).splitlines()[-1] == "| x\\|y z |"

from __future__ import annotations

import json
import re

import pytest

from tests.cli.stage import Stage
from tests.helpers.thorough import thorough

NIGHTLY = """\
name: nightly-{stem}
endpoint: /v1/chat/completions
model: mistral-small-latest
for_each: {files: [nights/*.jsonl]}
metadata: {night: "{stem}"}
"""
COMMENT = 65_536
"""Characters of a comment on GitHub."""


def nights(stage: Stage, count: int) -> None:
    stage.write("specs/nightly.yaml", NIGHTLY)
    for night in range(count):
        stage.lines(f"specs/nights/{night:04}.jsonl", 1, text=f"night {night}")


def test_a_family_is_one_line_of_the_plan_and_of_its_outcome(stage: Stage) -> None:
    nights(stage, 12)
    stage.spec("alone")
    plan = stage.run("plan")
    assert re.search(
        r"\+ create  nightly-\* \(12 of 12\) +new · 12 requests · at most \$\S+ · \S+ on \S+ · uploads 12 files",
        plan.out,
    )
    assert "families are folded: --all lists every job" in plan.out
    assert "nightly-0003" not in plan.out
    opened = stage.run("plan", "--all")
    assert opened.out.count("+ create  nightly-00") == 12
    assert "folded" not in opened.out
    applied = stage.run("apply", "--yes")
    assert re.search(r"\+ created +nightly-\* \(12 of 12\) +12 jobs", applied.out)
    assert len(stage.live()) == 13
    assert stage.run("plan").out.startswith("No changes.")


def test_a_family_of_several_models_has_a_line_for_each_and_says_which_settings_differ(stage: Stage) -> None:
    stage.write(
        "specs/matrix.yaml",
        "name: score-{stem}-{model}\nendpoint: /v1/chat/completions\nfor_each: {files: ['runs/*.jsonl']}\n"
        "matrix: {model: [mistral-small-2603, ministral-8b-2512]}\n"
        "metadata: {team: search, run: '{stem}'}\n",
    )
    for at, run in enumerate("abcd"):
        stage.lines(f"specs/runs/{run}.jsonl", 1 + at, text=run)
    plan = stage.run("plan")
    for model in ("mistral-small-2603", "ministral-8b-2512"):
        (line,) = (line for line in plan.out.splitlines() if f"{model} on /v1/chat" in line)
        assert "score-*-* (4 of 8)" in line
        assert "10 requests" in line
    assert plan.out.count("settings: metadata.team=search, on_remove=keep, metadata.run differs") == 2
    assert "would submit 20 requests (10 ministral-8b-2512, 10 mistral-small-2603)" in plan.out


def test_one_more_file_is_one_more_job_and_one_line(stage: Stage) -> None:
    nights(stage, 12)
    stage.run("apply", "--yes")
    nights(stage, 13)
    plan = stage.run("plan")
    lines = [line for line in plan.out.splitlines() if "nightly" in line and "note: " not in line]
    assert len(lines) == 1
    assert "+ create  nightly-0012  new · 1 request" in lines[0]
    assert len(stage.run("apply", "--yes").writes) == 2, "an upload and a create"


def test_a_file_that_was_rotated_away_cancels_nothing(stage: Stage) -> None:
    nights(stage, 3)
    stage.run("apply", "--yes")
    (stage.root / "specs/nights/0001.jsonl").unlink()
    plan = stage.run("plan", "--detailed-exitcode")
    assert plan.code == 0
    assert "nightly-0001  no longer declared, kept by its on_remove" in plan.out


def test_a_part_of_a_family_is_counted_against_the_whole(stage: Stage) -> None:
    nights(stage, 8)
    stage.run("apply", "--yes", "--only", "nightly-000[0-2]")
    assert stage.live() == ["nightly-0000", "nightly-0001", "nightly-0002"]
    assert "nightly-* (5 of 8)" in stage.run("plan").out
    markdown = stage.run("plan", "--format", "markdown").out
    assert "nightly\\-\\* \\(5 of 8\\)" in markdown


def test_jobs_are_selected_by_name(stage: Stage) -> None:
    nights(stage, 5)
    plan = stage.run("plan", "--only", "nightly-0001", "--only", "nightly-0003")
    assert "2 specs selected" in plan.out
    assert 'reconciler plan --only "nightly-0001" --only "nightly-0003" -o plan.json' in plan.out
    wrong = stage.run("plan", "--only", "nigthly-0001")
    assert wrong.code == 64
    assert "did you mean `nightly-0001`?" in wrong.err
    stage.run("plan", "--only", "nightly-0001", "-o", "plan.json")
    refused = stage.run("apply", "plan.json", "--only", "x")
    assert (refused.code, "applied whole" in refused.err) == (64, True)


def test_status_folds_what_is_in_one_state(stage: Stage) -> None:
    nights(stage, 6)
    stage.run("apply", "--yes", "--only", "nightly-000[0-4]")
    text = stage.run("status").out
    assert re.search(r"^nightly-\* \(5 of 6\) +QUEUED +5 jobs", text, re.MULTILINE)
    assert re.search(r"^nightly-0005 +to create", text, re.MULTILINE)
    assert "nightly\\-\\* \\(5 of 6\\)" in stage.run("status", "--format", "markdown").out
    assert stage.run("status", "--all").out.count("nightly-000") == 6
    rows = json.loads(stage.run("status", "--format", "json").out)["rows"]
    assert [row["family"] for row in rows] == ["nightly-*"] * 6


def test_what_is_decided_otherwise_keeps_its_line(stage: Stage) -> None:
    nights(stage, 5)
    stage.run("apply", "--yes")
    for night in (1, 2):
        stage.lines(f"specs/nights/{night:04}.jsonl", 2, text=f"other {night}")
    plan = stage.run("plan").out
    assert "~ replace nightly-0001" in plan
    assert "~ replace nightly-0002" in plan


def test_a_change_for_the_whole_family_says_what_changed(stage: Stage) -> None:
    nights(stage, 5)
    stage.run("apply", "--yes")
    stage.write("specs/nightly.yaml", NIGHTLY.replace("small", "large"))
    held = stage.run("plan").out
    assert "= hold    nightly-* (5 of 5)  held back" in held
    assert "model: mistral-small-latest -> mistral-large-latest" in held
    plan = stage.run("plan", "--max-cancel-share", "1").out
    assert "~ replace nightly-* (5 of 5)  model changed · 5 requests" in plan
    assert "then cancels 5 jobs, 0 requests answered" in plan
    assert "model: mistral-small-latest -> mistral-large-latest" in plan


def test_a_change_of_metadata_is_one_note(stage: Stage) -> None:
    nights(stage, 5)
    stage.run("apply", "--yes")
    stage.write("specs/nightly.yaml", NIGHTLY.replace("night:", "day:"))
    plan = stage.run("plan").out
    assert plan.count("settings changed") == 1
    assert "nightly-* (5 of 5): settings changed" in plan
    assert stage.run("plan", "--all").out.count("settings changed") == 5


def test_defaults_that_create_again_are_named_for_every_job(stage: Stage) -> None:
    stage.write("specs/_defaults.yaml", "metadata: {team: a}\nmodel: mistral-small-2603\n")
    for name in ("a", "b"):
        stage.spec(name, model=None)
    stage.run("apply", "--yes")
    stage.write("specs/_defaults.yaml", "metadata: {team: a}\nmodel: ministral-8b-2512\n")
    plan = stage.run("plan").out
    assert plan.count("model: mistral-small-2603 -> ministral-8b-2512") == 2
    assert plan.count("note: model is set in specs/_defaults.yaml:2") == 2


@pytest.mark.parametrize("zone", ["Europe/Paris", thorough("America/New_York")])
def test_a_week_is_created_once_however_often_one_applies(stage: Stage, zone: str) -> None:
    stage.environ["RECONCILER_SANDBOX_SPEED"] = "inf"
    stage.spec("weekly", rerun={"every": "week", "zone": zone})
    for _ in range(4 * 8):
        stage.advance(6 * 3600)
        assert stage.run("apply", "--yes").code == 0
    runs = [re.search(r"rerun=(\S+)", job["metadata"]["reconciler.run"]) for job in stage.jobs()]
    assert sorted(run[1] for run in runs if run) == ["2026-W39", "2026-W40"]


def test_before_its_start_a_name_is_left_alone(stage: Stage) -> None:
    stage.spec("weekly")
    stage.run("apply", "--yes")
    stage.spec("weekly", rerun={"every": "day", "start": "2099-01-01"})
    plan = stage.run("plan", "--detailed-exitcode")
    assert plan.code == 0
    assert "begins on 2099-01-01" in plan.err
    assert stage.run("apply", "--yes").writes == []
    assert stage.live() == ["weekly"]


def test_render_writes_plain_specs_that_declare_the_same(stage: Stage) -> None:
    nights(stage, 5)
    stage.write("specs/_defaults.yaml", "timeout_hours: 7\n")
    stage.spec("weekly", rerun={"every": "week"}, metadata={"a": 'b "c" \u2028 {d}'})
    stage.run("apply", "--yes")
    text = stage.run("render").out
    for path in ("nightly", "_defaults", "weekly"):
        (stage.root / f"specs/{path}.yaml").unlink()
    stage.write("specs/all.yaml", text)
    assert stage.run("plan", "--detailed-exitcode").code == 0
    assert stage.run("plan").out.startswith("No changes.")
    assert "note" not in stage.run("plan").out
    assert stage.run("render", "--only", "weekly").out.count("name:") == 1


@pytest.mark.timeout(300)
@pytest.mark.thorough
def test_three_thousand_files_are_three_thousand_jobs_in_a_comment(stage: Stage) -> None:
    nights(stage, 3000)
    document = json.loads(stage.run("plan", "--comment", "comment.md", "--format", "json").out)["plan"]
    comment = (stage.root / "comment.md").read_text(encoding="utf-8")
    assert "nightly\\-\\* \\(3,000 of 3,000\\)" in comment
    assert len(comment) < COMMENT
    assert document["summary"]["create"] == 3000


@pytest.mark.long
@pytest.mark.timeout(0)
def test_one_more_file_beside_three_thousand_is_one_more_job_and_one_line(stage: Stage) -> None:
    nights(stage, 3000)
    assert stage.run("apply", "--yes").code == 0
    assert stage.run("plan").out.startswith("No changes.")
    nights(stage, 3001)
    result = stage.run("plan")
    assert [line for line in result.out.splitlines() if line.startswith("  +")] == [
        "  + create  nightly-3000  new · 1 request · uploads specs/nights/3000.jsonl (89 bytes)"
    ]
    assert "1 to create" in result.out
    assert len(stage.run("apply", "--yes").writes) == 2  # an upload and a create

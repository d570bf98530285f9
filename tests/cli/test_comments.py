"""What a pull request and a step's page show: Markdown read in ten seconds, and annotations beside the lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.environment import Environment
from tests.cli.stage import Fault, Result, Stage
from tests.cli.test_guards import job_for, remove, settings
from tests.helpers.thorough import thorough

LIMIT = 65_536
"""What a comment on GitHub may hold, in characters; counted in bytes here, to be safe."""


def plain(text: str) -> str:
    """Take the escapes out."""
    return text.replace("\\", "").replace("\u200b", "")


@pytest.fixture
def page(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that GitHub names for a step's page."""
    file = tmp_path_factory.mktemp("runner") / "summary.md"
    stage.environ["GITHUB_STEP_SUMMARY"] = str(file)
    return file


def comment(stage: Stage, *argv: str) -> tuple[Result, str]:
    """Run a command and return the comment that it wrote."""
    result = stage.run(*argv, "--comment", "comment.md")
    text = (stage.root / "comment.md").read_text(encoding="utf-8")
    (stage.root / "comment.md").unlink()
    return result, plain(text)


def test_verdict_comes_first_and_what_loses_something_before_the_rest(stage: Stage) -> None:
    remove(stage, *job_for(stage, 4)[:2])
    stage.spec("nightly", requests=900)
    stage.spec("small", requests=3)
    _, text = comment(stage, "plan")
    lines = [line for line in text.splitlines() if line]
    would = "would submit 903 requests (mistral-small-latest) · cost at most $71.03"
    assert lines[0] == f"### shop: {would} · cancel 2 · lose 100 answers"
    assert lines[2] == "**Review first**"
    assert lines[3:5] == [
        "- job-00: loses 50 of 500 answers, which are paid for",
        "- job-01: loses 50 of 500 answers, which are paid for",
    ]
    assert lines[5] == "- nightly is most of the plan: 900 of 903 requests"
    verbs = [line.split(" | ")[0] for line in lines if line.startswith(("| cancel", "| create"))]
    assert verbs == ["| cancel", "| cancel", "| create", "| create"]
    assert "<summary>Unchanged: 2 running</summary>" in lines


def test_nothing_to_do_is_a_verdict_and_a_line(stage: Stage) -> None:
    job_for(stage, 2)
    _, text = comment(stage, "plan")
    assert text.startswith("### shop: no changes\n\nshop on the sandbox")
    assert "Review first" not in text


def test_refusal_is_in_the_verdict_and_has_its_numbers(stage: Stage) -> None:
    stage.write("reconciler.yaml", settings("{max_new_requests: 5}"))
    stage.spec("one", requests=7)
    for argv in (("plan",), ("apply", "--yes")):
        result, text = comment(stage, *argv)
        assert result.code == 3
        assert text.startswith("### shop: held back by max_new_requests\n")
        assert "held back · max_new_requests: create, new, 7 requests of mistral-small-latest" in text
        assert "- held back by max_new_requests: the plan submits 7 requests, more than 5; pass --max" in text


def test_attention_that_is_not_this_changes_doing_is_folded(stage: Stage) -> None:
    stage.spec("broken", model="sandbox-unknown")
    stage.run("apply", "--yes")
    stage.advance(5)
    stage.spec("new")
    _, text = comment(stage, "plan")
    table, _, rest = text.partition("<details>")
    assert "broken" not in table
    assert "1 name needs attention, not because of this change" in rest
    assert "failed 1 of 2 attempts" in rest


def test_standing_holds_are_no_news_and_waiting_ones_are(stage: Stage) -> None:
    stage.spec("off", suspend=True)
    stage.spec("patient", requests=500, on_change="finish")
    stage.run("apply", "--yes")
    stage.advance(2)
    stage.spec("patient", requests=501, on_change="finish")
    table, _, rest = comment(stage, "plan")[1].partition("<details>")
    assert "| wait | patient |" in table
    assert "| off |" not in table
    assert "| off | suspended |" in rest


@pytest.mark.parametrize("count", [30, thorough(3000)])
def test_comment_stays_below_the_limit_however_much_changes(stage: Stage, count: int) -> None:
    rows = "".join(
        f"---\nname: job-{number:04}{'x' * 80}\nendpoint: /v1/embeddings\nmodel: mistral-embed-2312\n"
        f"metadata: {{note: '{'|<@#*' * 60}'}}\n"
        f"requests: [{{custom_id: a, body: {{input: ['{number}']}}}}]\n"
        for number in range(count)
    )
    (stage.root / "specs").mkdir()
    for part in range(0, count, 1000):
        chosen = rows.split("---\n")[1:][part : part + 1000]
        stage.write(f"specs/many-{part}.yaml", "".join(f"---\n{row}" for row in chosen))
    result = stage.run("plan", "--comment", "comment.md")
    data = (stage.root / "comment.md").read_bytes()
    assert result.code == 0
    assert len(data) < LIMIT - 2000
    text = plain(data.decode())
    assert text.startswith(f"### shop: would submit {count:,} requests (mistral-embed-2312) · cost ≈ $")
    assert data.decode().count("<details>") == data.decode().count("</details>")
    assert ("more" in text) == (count > 1000)


def test_apply_reports_what_was_done_with_the_plan_folded_beneath(stage: Stage, page: Path) -> None:
    stage.spec("one")
    stage.spec("broken", model="sandbox-refused")
    stage.faults.append(Fault("POST", "/v1/batch/jobs", 422, body=b'{"detail":"no such model"}'))
    result, text = comment(stage, "apply", "--yes", "--format", "github")
    assert result.code == 5
    assert text.startswith("### shop: 1 created, 1 failed\n")
    done, _, planned = text.partition("<details>\n<summary>The plan</summary>")
    assert done.index("create failed") < done.index("| created |")
    assert "### shop: would submit 6 requests" in planned
    assert plain(page.read_text(encoding="utf-8")) == text
    assert re.findall(r"^::(\w+) .*title=([^,:]+)", result.out, re.MULTILINE) == [
        ("error", "create failed broken"),
        ("notice", "created one"),
    ]


def test_what_a_saved_plan_does_not_hold_is_listed_in_the_comment(stage: Stage) -> None:
    stage.spec("one")
    stage.run("plan", "-o", "plan.json")
    stage.spec("later")
    _, text = comment(stage, "apply", "plan.json")
    assert text.startswith("### shop: 1 created\n")
    assert "- not in the saved plan, left alone: create later" in text


def test_what_ended_a_command_is_reported_in_comment_page_and_annotations(stage: Stage, page: Path) -> None:
    stage.spec("one")
    stage.run("plan", "-o", "plan.json")
    stage.spec("one", requests=4)
    result, text = comment(stage, "apply", "plan.json", "--format", "github")
    assert result.code == 4
    assert text.startswith("### apply failed: the saved plan no longer holds, and nothing was done")
    assert "- review a fresh plan" in text
    assert plain(page.read_text(encoding="utf-8")) == text
    assert result.out.startswith("::error::the saved plan no longer holds")


def test_mistakes_in_specs_are_reported_in_the_comment_of_a_plan(stage: Stage) -> None:
    stage.spec("one", timeout_hours=1000)
    result, text = comment(stage, "plan", "--format", "github")
    assert result.code == 1
    assert text.startswith("### plan failed: 1 problem in the specs\n")
    assert "- specs/one.yaml:5:16: timeout_hours: " in text
    assert result.out.startswith("::error file=specs/one.yaml,line=5,col=16::timeout_hours: ")


def test_annotations_stand_beside_the_spec(stage: Stage, page: Path) -> None:
    stage.write("reconciler.yaml", settings("{max_new_requests: 5}"))
    stage.spec("broken", model="sandbox-unknown")
    stage.run("apply", "--yes")
    stage.advance(5)
    stage.spec("one", requests=7, model="mistral-small-2603")
    result = stage.run("plan", "--format", "github")
    kinds = [line.split("::")[1] for line in result.out.splitlines()]
    assert kinds == [
        "error title=held back by max_new_requests",
        "warning title=hold broken,file=specs/broken.yaml,line=1",
        "notice title=hold one,file=specs/one.yaml,line=1",
        "notice title=shop%3A held back by max_new_requests",
    ]
    assert "### shop: held back" in page.read_text(encoding="utf-8")
    stage.run("plan", "-o", "plan.json")
    assert (
        stage.run("show", "plan.json", "--format", "github").out.splitlines()[:2]
        == (result.out.splitlines()[:2])
    )


def test_no_more_annotations_than_github_shows(stage: Stage, page: Path) -> None:
    for number in range(25):
        stage.spec(f"job-{number}")
    lines = stage.run("plan", "--format", "github").out.splitlines()
    assert len(lines) == 10
    assert page.exists()


def test_text_from_outside_begins_no_command(stage: Stage, page: Path) -> None:
    stage.spec("one", model="x::error::%0A\r\n::add-mask::y")
    result = stage.run("plan", "--format", "github")
    assert page.exists()
    for line in result.out.splitlines():
        assert re.match(r"::(error|warning|notice)[ :]", line)
    assert not re.search(r"^::add-mask", result.out, re.MULTILINE)


def test_step_page_is_added_to_and_only_with_the_format_of_github(stage: Stage, page: Path) -> None:
    stage.spec("one")
    stage.run("plan")
    assert not page.exists()
    page.write_text("before\n")
    stage.run("plan", "--format", "github")
    assert page.read_text(encoding="utf-8").startswith("before\n### shop: ")


def test_page_or_comment_that_cannot_be_written_is_said(stage: Stage) -> None:
    stage.spec("one")
    stage.environ["GITHUB_STEP_SUMMARY"] = str(stage.root)
    result = stage.run("plan", "--format", "github")
    assert (result.code, "the step summary" in result.err) == (1, True)
    result = stage.run("plan", "--comment", "nowhere/comment.md")
    assert (result.code, "comment.md cannot be written" in result.err) == (1, True)


def test_apply_whose_comment_is_lost_says_so_and_what_was_done(stage: Stage) -> None:
    stage.spec("one")
    result = stage.run("apply", "--yes", "--comment", "nowhere/comment.md")
    assert result.code == 5
    assert "comment.md cannot be written" in result.err
    assert len(stage.jobs()) == 1


def test_hosts_need_no_step_page(stage: Stage) -> None:
    stage.spec("one")

    def bare(env: Environment) -> Environment:
        assert "GITHUB_STEP_SUMMARY" not in env.environ
        return env

    assert stage.run("plan", "--format", "github", env=bare).code == 0

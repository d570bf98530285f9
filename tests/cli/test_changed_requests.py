"""A changed file: how its requests differ from those of the job before, and that equal ones are not submitted again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import Result, Stage

SAME = "the requests are the same; only the file's bytes differ"
PATH = "specs/data/a.jsonl"


def applied(stage: Stage, *, requests: int = 4) -> list[str]:
    """Apply a spec of one job, and return the lines of its input."""
    stage.spec("a", requests=requests)
    assert stage.run("apply", "--yes").code == 0
    return (stage.root / PATH).read_text().splitlines()


def rewrite(stage: Stage, lines: list[str], *, end: str = "\n") -> None:
    stage.write(PATH, "\n".join(lines) + end)


def changes(result: Result) -> list[dict[str, Any]]:
    """Return the changes of every create in a plan as JSON."""
    decisions = conforming("plan", result.out)["plan"]["decisions"]
    return [change for it in decisions for action in it["actions"] for change in action.get("changes", ())]


def without_digest(stage: Stage, *argv: str) -> Result:
    """Run a command on a workspace whose jobs were created before tags had digests of requests."""

    def alter(answer: Any) -> Any:  # noqa: ANN401 - any JSON
        for job in answer.get("data", []):
            run = job["metadata"]["reconciler.run"].split(" ")
            job["metadata"]["reconciler.run"] = " ".join(it for it in run if not it.startswith("all="))
        return answer

    from tests.cli.stage import Fault

    stage.faults = [Fault("GET", "/v1/batch/jobs", 200, alter=alter, times=9)]
    result = stage.run(*argv)
    stage.faults = []
    return result


def test_text_markdown_and_json_say_what_changed(stage: Stage) -> None:
    one, *rest = applied(stage)
    rewrite(
        stage,
        [*rest[1:], one.replace("a 0", "b 0"), rest[0].replace("r1", "new"), rest[0].replace("r1", "newer")],
    )
    said = "requests 4 -> 5: 2 added, 1 removed, 1 changed"
    assert f"      {said}\n" in stage.run("plan").out
    assert said.replace(">", "\\>").replace("-\\", "\\-\\") in stage.run("plan", "--format", "markdown").out
    (change,) = changes(stage.run("plan", "--format", "json"))
    assert change["requests"] == {"before": 4, "after": 5, "added": 2, "removed": 1, "changed": 1}
    assert stage.run("plan", "-o", "plan.json").code == 0
    assert said in stage.run("show", "plan.json").out
    assert said in stage.run("apply", "--yes").out


@pytest.mark.parametrize("lost", ["no index", "damaged index", "index of another job", "uploaded input"])
def test_without_an_index_that_fits_the_line_is_as_before(stage: Stage, lost: str) -> None:
    lines = applied(stage)
    (index,) = (stage.root / "outputs").glob("a/jobs/*/asked.idx")
    if lost == "no index":
        index.unlink()
    elif lost == "damaged index":
        index.write_bytes(index.read_bytes()[:-1])
    elif lost == "index of another job":
        data = index.read_bytes()
        job = stage.jobs()[0]["id"].encode()
        index.write_bytes(data.replace(job, b"x" * len(job)))
    rewrite(stage, [*lines, lines[0].replace("r0", "r9")])
    if lost == "uploaded input":
        stage.spec("a", input_files=["0f9d1b6e-0000-4000-8000-000000000001"])
    result = stage.run("plan")
    assert (result.code, "inputs: 4 requests -> " in result.out, "requests 4 ->" in result.out) == (
        0,
        True,
        False,
    )


def test_the_index_is_read_from_an_object_store(stage: Stage, bucket: Any) -> None:  # noqa: ANN401 - without types
    stage.write("reconciler.yaml", "project: shop\nresults: s3://bucket/results\n")
    lines = applied(stage)
    rewrite(stage, lines[1:])
    assert "requests 4 -> 3: 0 added, 1 removed, 0 changed" in stage.run("plan").out
    (index,) = bucket.find("s3://bucket/results")
    bucket.rm(index)
    assert "inputs: 4 requests -> 3 requests" in stage.run("plan").out


def test_a_plan_without_a_change_reads_no_index_and_writes_nothing(stage: Stage) -> None:
    applied(stage)
    (index,) = (stage.root / "outputs").glob("a/jobs/*/asked.idx")
    index.chmod(0)
    index.unlink()
    index.mkdir()
    result = stage.run("plan", "--detailed-exitcode")
    assert result.code == 0


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("edit", ["no final line feed", "order", "spaces", "several files", "inline"])
def test_equal_requests_in_other_bytes_are_not_submitted_again(
    stage: Stage, edit: str, *, ended: bool
) -> None:
    lines = applied(stage)
    if ended:
        stage.advance(60)
    if edit == "no final line feed":
        rewrite(stage, lines, end="")
    elif edit == "order":
        rewrite(stage, lines[::-1])
    elif edit == "spaces":
        rewrite(
            stage, [json.dumps(json.loads(line), indent=None, separators=(" ,", " : ")) for line in lines]
        )
    elif edit == "several files":
        stage.write("specs/data/b.jsonl", lines[0] + "\n")
        stage.spec("a", requests=4, input_files=["data/a.jsonl", "data/b.jsonl"])
        rewrite(stage, lines[1:])
    else:
        spec = (stage.root / "specs/a.yaml").read_text().replace("input_files", "# input_files")
        stage.write("specs/a.yaml", f"{spec}requests: [{', '.join(lines)}]\n")
    for argv in (("plan", "--detailed-exitcode"), ("apply", "--yes")):
        result = stage.run(*argv)
        assert (result.code, result.writes) == (0, []), result.out + result.err
        assert SAME in result.out
    assert stage.run("status").out.endswith("  succeeded\n" if ended else "  running\n")


@pytest.mark.parametrize("field", [{"model": "mistral-large-latest"}, {"rerun": "2"}])
def test_the_first_job_counts_after_a_job_of_another_model_or_rerun_was_asked_the_same_in_other_bytes(
    stage: Stage, field: dict[str, str]
) -> None:
    stage.spec("a", requests=4, reuse=False)
    lines = (stage.root / "specs/data/a.jsonl").read_text().splitlines()
    for fields in ({}, field):
        stage.spec("a", requests=4, reuse=False, **fields)
        rewrite(stage, lines[::-1] if fields else lines)
        assert len(stage.run("apply", "--yes").writes) == 2
        stage.advance(60)
    stage.spec("a", requests=4, reuse=False)
    rewrite(stage, lines[::-1])
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (0, []), result.out


def test_equal_requests_of_a_job_without_a_digest_are_named(stage: Stage) -> None:
    lines = applied(stage)
    rewrite(stage, lines[::-1])
    result = without_digest(stage, "plan")
    assert "= wait    a" in result.out
    assert f"      {SAME}\n" in result.out


def test_a_saved_plan_of_an_edit_that_was_taken_back_is_no_longer_needed(stage: Stage) -> None:
    lines = applied(stage)
    rewrite(stage, [*lines[:-1], lines[-1].replace("a 3", "b 3")])
    assert stage.run("plan", "-o", "plan.json").code == 0
    rewrite(stage, lines, end="")
    result = stage.run("apply", "plan.json")
    assert result.writes == []


@pytest.mark.parametrize("field", [{"model": "mistral-large-latest"}, {"rerun": "2"}])
def test_another_model_or_rerun_is_other_work_although_the_requests_are_the_same(
    stage: Stage, field: dict[str, str]
) -> None:
    lines = applied(stage)
    stage.advance(60)
    stage.spec("a", requests=4, **field)
    rewrite(stage, lines[::-1])
    result = stage.run("apply", "--yes")
    assert [sent.path for sent in result.writes] == ["/v1/files", "/v1/batch/jobs"]
    assert SAME in result.out


def test_what_a_person_cancelled_stays_cancelled_although_the_file_was_rewritten(stage: Stage) -> None:
    lines = applied(stage, requests=500)
    assert stage.run("jobs", "cancel", stage.jobs()[0]["id"], "--yes").code == 0
    stage.advance(60)
    rewrite(stage, lines[::-1])
    result = stage.run("apply", "--yes")
    assert result.writes == []
    assert "cancelled" in result.out


def test_results_of_equal_requests_stay_current(stage: Stage) -> None:
    lines = applied(stage)
    stage.advance(60)
    rewrite(stage, lines[::-1])
    assert stage.run("outputs", "pull").code == 0
    summary = json.loads((stage.root / "outputs/a/summary.json").read_text())
    assert (summary["current"], summary["requests"]["ok"]) == (True, 4)


def test_a_wait_knows_the_same_work_and_a_snapshot_too(stage: Stage) -> None:
    lines = applied(stage)
    rewrite(stage, lines[::-1])
    assert stage.run("jobs", "snapshot", "seen.json").code == 0
    seen = stage.run("plan", "--observed", "seen.json", "--detailed-exitcode")
    assert (seen.code, SAME in seen.out) == (0, True)
    assert stage.run("wait").code == 0


def test_a_change_of_work_in_parts_is_compared_with_all_of_its_parts(stage: Stage) -> None:
    """A canary, its rest, and a part of one edited line: the comparison is with the whole work each time."""
    stage.spec("a", requests=10, canary={"requests": 3})
    file = stage.root / "specs/data/a.jsonl"
    stage.run("apply", "--yes", "--wait")
    for edit in ("a 1", "a 8"):
        file.write_text(file.read_text().replace(edit, f"other {edit}"))
        assert "requests 10 -> 10: 0 added, 0 removed, 1 changed" in stage.run("plan").out
        stage.run("apply", "--yes", "--wait")

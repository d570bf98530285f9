"""Results that come later than a pull or an edit, and jobs of which nothing shows what they were asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.stage import HI, Fault, Stage
from tests.helpers.requests_of import asked, results

JOBS = "/v1/batch/jobs"


def without_files(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of jobs that name no result file yet, and count nothing."""
    none = {
        "output_file": None,
        "error_file": None,
        "succeeded_requests": 0,
        "failed_requests": 0,
        "completed_requests": 0,
    }
    return page | {"data": [row | none for row in page["data"]]}


def without_the_output(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of jobs that name no file of answers yet."""
    return page | {"data": [row | {"output_file": None} for row in page["data"]]}


def edit(stage: Stage, *changed: int, name: str = "a") -> None:
    """Change the text of some lines of the input."""
    file = stage.root / f"specs/data/{name}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for at in changed:
        rows[at]["body"]["messages"][0]["content"] += " please"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def early(stage: Stage) -> Stage:
    """Return a stage with a job that timed out with half of its answers, pulled before it named its file."""
    stage.spec("a", requests=4, model="sandbox-stuck-1", timeout_hours=24, reuse=True)
    stage.run("apply", "--yes")
    stage.advance(25 * 3600)
    stage.faults.append(Fault("GET", JOBS, 200, alter=without_files))
    assert "0 ok, 4 missing" in stage.run("outputs", "pull").out
    return stage


def test_results_that_were_pulled_before_their_file_was_named_are_fetched_again(early: Stage) -> None:
    assert [row["ok"] for row in results(early)] == [True, True, False, False]


def test_an_edit_after_such_a_pull_submits_nothing_that_is_answered(early: Stage) -> None:
    edit(early, 0)
    early.run("apply", "--yes")
    assert asked(early)[1:] == [["r0", "r2", "r3"]]


def inline(stage: Stage, *texts: str) -> None:
    """Write a spec with the requests in itself."""
    requests = [
        {"custom_id": f"r{at}", "body": {"messages": [{"role": "user", "content": text}]}}
        for at, text in enumerate(texts)
    ]
    stage.write(
        "specs/a.yaml",
        "name: a\nendpoint: /v1/chat/completions\nmodel: mistral-small-latest\nreuse: true\n"
        f"requests: {json.dumps(requests)}\n",
    )


def forget_inputs(stage: Stage) -> None:
    """Delete the index of what the jobs were asked, and their input files at the provider."""
    for index in stage.root.glob("outputs/a/jobs/*/asked.idx"):
        index.unlink()
    with stage.console() as client:
        for job in stage.jobs():
            for file in client.get(f"/v1/batch/jobs/{job['id']}").json()["input_files"]:
                client.delete(f"/v1/files/{file}").raise_for_status()


@pytest.fixture
def unknown(stage: Stage) -> Stage:
    """Return a stage with answers of which no index shows the requests, and an edit of one of them."""
    inline(stage, "one", "two")
    stage.run("apply", "--yes")
    stage.advance(60)
    forget_inputs(stage)
    inline(stage, "one", "three")
    return stage


def test_nothing_is_submitted_if_it_is_not_known_what_a_job_with_answers_was_asked(unknown: Stage) -> None:
    held = unknown.run("apply", "--yes")
    assert "this runner does not know what it was asked" in held.out
    assert "reconciler rerun a" in held.out
    assert len(unknown.jobs()) == 1


def test_an_edit_submits_nothing_if_only_the_errors_of_a_job_are_here_and_not_what_it_was_asked(
    stage: Stage,
) -> None:
    inline(stage, "one", "two")
    rows = stage.root / "specs/a.yaml"
    rows.write_text(rows.read_text().replace('"r0"', '"r0!fail-400"'))
    stage.run("apply", "--yes")
    stage.advance(60)
    forget_inputs(stage)
    inline(stage, "one", "three")
    stage.faults.append(Fault("GET", JOBS, 200, alter=without_the_output))
    assert "0 ok, 1 failed" in stage.run("outputs", "pull").out
    stage.run("apply", "--yes")
    assert len(stage.jobs()) == 1


def test_an_answer_to_an_earlier_text_is_not_shown_as_the_answer_to_the_new_one(unknown: Stage) -> None:
    unknown.run("apply", "--yes")
    spec = unknown.root / "specs/a.yaml"
    spec.write_text(spec.read_text().replace("reuse: true", "reuse: false"))
    unknown.run("apply", "--yes")
    unknown.advance(60)
    spec.write_text(spec.read_text().replace("reuse: false", "reuse: true"))
    newest = max(unknown.jobs(), key=lambda job: job["created_at"])
    assert {row["job"] for row in results(unknown)} == {newest["id"]}


def test_an_edit_submits_no_request_that_a_person_cancelled_before_its_first_answer(stage: Stage) -> None:
    stage.spec("a", requests=3, reuse=True)
    stage.run("apply", "--yes")
    stage.cancel_in_console(stage.jobs()[0]["id"])
    stage.advance(60)
    edit(stage, 1)
    stage.run("apply", "--yes")
    stage.advance(60)
    held = stage.run("apply", "--yes")
    assert asked(stage)[1:] == [["r1"]], "the changed request is new"
    assert "cancelled by hand" in held.out


def test_a_success_in_which_every_request_failed_is_retried(stage: Stage) -> None:
    rows = "".join(json.dumps({"custom_id": f"r{at}!fail-429", "body": HI}) + "\n" for at in range(2))
    stage.spec("a", retry={"max_attempts": 2})
    stage.write("specs/data/a.jsonl", rows)
    for _ in range(3):
        stage.run("apply", "--yes")
        stage.advance(60)
    assert [len(part) for part in asked(stage)] == [2, 2]

"""A spec is edited while its job runs: what the job was asked is not submitted again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.cli.stage import Fault, Stage
from tests.helpers.requests_of import answered, asked

Rows: TypeAlias = list[dict[str, Any]]
FILE = "specs/data/a.jsonl"
COUNT = 500
"""Requests of a job that the sandbox answers in 15 seconds."""


def start(stage: Stage, **fields: Any) -> None:  # noqa: ANN401 - any fields of a spec
    """Let a job of `COUNT` requests run, with a few of them answered."""
    stage.spec("a", requests=COUNT, reuse=True, **fields)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(3)


def edit(stage: Stage, change: Callable[[Rows], Rows]) -> None:
    """Change the requests of the spec."""
    file = stage.root / FILE
    rows = change([json.loads(line) for line in file.read_text().splitlines()])
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def more(rows: Rows) -> Rows:
    """Append 50 requests."""
    return [*rows, *({**row, "custom_id": f"more-{row['custom_id']}"} for row in rows[:50])]


def another_prompt(rows: Rows, *, but: int = 0) -> Rows:
    """Give all but the first requests another prompt."""
    body = {"messages": [{"role": "user", "content": "Another prompt"}]}
    return [*rows[:but], *({**row, "body": body} for row in rows[but:])]


def counts(stage: Stage) -> list[int]:
    return [len(each) for each in asked(stage)]


def statuses(stage: Stage) -> list[str]:
    return [job["status"] for job in sorted(stage.jobs(), key=lambda job: job["created_at"])]


def test_appended_requests_wait_for_the_job_that_was_asked_the_others(
    stage: Stage, golden: Callable[..., None]
) -> None:
    start(stage)
    edit(stage, more)
    waits = stage.run("plan"), stage.run("apply", "--yes"), stage.run("status")
    assert waits[1].writes == []
    stage.advance(60)
    golden(*waits, stage.run("apply", "--yes"))
    stage.advance(60)
    assert (counts(stage), statuses(stage)) == ([COUNT, 50], ["SUCCESS", "SUCCESS"])
    assert stage.run("apply", "--yes").out.startswith("No changes.")


def test_appended_requests_are_submitted_by_the_same_run_if_it_waits(stage: Stage) -> None:
    start(stage)
    edit(stage, more)
    assert stage.run("apply", "--yes", "--wait").code == 0
    assert (counts(stage), statuses(stage)) == ([COUNT, 50], ["SUCCESS", "SUCCESS"])


def test_a_replaced_prompt_is_submitted_first_and_then_the_job_is_cancelled(stage: Stage) -> None:
    start(stage)
    edit(stage, another_prompt)
    replaced = stage.run("apply", "--yes")
    assert [sent.path.rpartition("/")[2] for sent in replaced.writes] == ["files", "jobs", "cancel"]
    stage.advance(60)
    assert (counts(stage), statuses(stage)) == ([COUNT, COUNT], ["CANCELLED", "SUCCESS"])


def test_a_job_of_which_a_fifth_is_wanted_stops_and_what_it_has_answered_is_not_submitted_again(
    stage: Stage, golden: Callable[..., None]
) -> None:
    start(stage)
    edit(stage, lambda rows: another_prompt(rows, but=COUNT // 5))
    stops = stage.run("plan"), stage.run("apply", "--wait", "--yes")
    golden(*stops)
    done = answered(stage)
    first, second = asked(stage)
    assert len(first) == COUNT
    assert len(second) == COUNT - len(kept(stage, COUNT // 5))
    assert done == {f"r{at}" for at in range(COUNT)}
    assert statuses(stage) == ["CANCELLED", "SUCCESS"]


def kept(stage: Stage, wanted: int) -> set[str]:
    """Return the custom_ids below a number that the first job has answered."""
    with stage.console() as client:
        job = min(stage.jobs(), key=lambda job: job["created_at"])
        output = client.get(f"/v1/batch/jobs/{job['id']}").json()["output_file"]
        text = client.get(f"/v1/files/{output}/content").text
        found = {str(json.loads(line)["custom_id"]) for line in text.splitlines()}
    return {custom_id for custom_id in found if int(custom_id[1:]) < wanted}


@pytest.mark.parametrize(("change", "left"), [(more, 50), (another_prompt, COUNT)])
def test_under_finish_the_job_ends_whatever_is_wanted(
    stage: Stage, change: Callable[[Rows], Rows], left: int
) -> None:
    start(stage, on_change="finish")
    edit(stage, change)
    assert stage.run("apply", "--yes").writes == []
    stage.advance(60)
    assert stage.run("apply", "--yes").code == 0
    assert counts(stage) == [COUNT, left]


def replaced(stage: Stage) -> None:
    """Let a job with wanted requests run whose spec says that it is replaced."""
    start(stage, on_change="replace")
    edit(stage, more)


def test_under_replace_the_job_stops_before_what_it_has_not_answered_is_submitted(stage: Stage) -> None:
    replaced(stage)
    assert stage.run("apply", "--yes", "--wait").code == 0
    done = kept(stage, COUNT)
    first, second = asked(stage)
    assert done
    assert sorted((*done, *second)) == sorted((*first, *second[-50:]))


@pytest.mark.parametrize(
    ("change", "most"),
    [(more, 0), (lambda rows: rows[:-2], 2), (lambda rows: another_prompt(rows, but=100), 400)],
)
def test_answers_that_are_reused_are_not_lost(
    stage: Stage, change: Callable[[Rows], Rows], most: int
) -> None:
    start(stage, on_change="replace")
    edit(stage, change)
    plan = json.loads(stage.run("plan", "--format", "json").out)["plan"]
    answered = stage.jobs()[0]["completed_requests"]
    assert answered > 2
    assert plan["summary"]["lost_answers"] == min(answered, most)
    stage.write("reconciler.yaml", f"project: shop\nguards: {{max_lost_answers: {min(answered, most)}}}\n")
    assert stage.run("apply", "--yes").code == 0
    assert statuses(stage) == ["CANCELLATION_REQUESTED"]


def test_a_later_run_needs_an_agreement_because_only_the_ledger_says_who_cancelled(stage: Stage) -> None:
    replaced(stage)
    assert [sent.path.rpartition("/")[2] for sent in stage.run("apply", "--yes").writes] == ["cancel"]
    stage.advance(60)
    assert "needs an agreed plan" in stage.run("apply", "--yes").out
    assert stage.run("plan", "-o", "plan.json").code == 0
    assert stage.run("apply", "plan.json").code == 0
    assert counts(stage) == [COUNT, COUNT + 50 - len(kept(stage, COUNT))]


def test_a_saved_plan_that_cancels_a_job_agrees_to_what_follows_in_a_run_that_waits(stage: Stage) -> None:
    replaced(stage)
    assert stage.run("plan", "-o", "plan.json").code == 0
    assert stage.run("apply", "plan.json", "--wait").code == 0
    assert counts(stage) == [COUNT, COUNT + 50 - len(kept(stage, COUNT))]


def test_if_it_is_not_known_what_a_job_was_asked_it_ends_first(stage: Stage) -> None:
    start(stage)
    edit(stage, another_prompt)
    shutil.rmtree(stage.root / "outputs")
    gone = json.dumps({"object": "error", "message": "no such file"}).encode()
    stage.faults = [Fault("GET", "/v1/files/.+/content", 404, body=gone, times=99)]
    waits = stage.run("apply", "--yes")
    stage.faults = []
    assert waits.writes == []
    assert "= wait    a  for job 00000002 to end" in waits.out
    stage.advance(60)
    assert stage.run("apply", "--yes").code == 0
    assert counts(stage) == [COUNT, COUNT]


def test_what_a_person_stopped_is_not_submitted_after_an_edit_and_new_requests_are(stage: Stage) -> None:
    start(stage)
    edit(stage, more)
    stage.cancel_in_console(stage.jobs()[0]["id"])
    stage.advance(60)
    assert stage.run("apply", "--yes").code == 0
    assert counts(stage) == [COUNT, 50]
    stage.advance(60)
    held = stage.run("apply", "--yes")
    assert held.writes == []
    assert "cancelled by hand" in held.out
    assert "reconciler retry a" in held.out
    assert counts(stage) == [COUNT, 50]


@pytest.mark.parametrize("edited", [False, True])
def test_plans_that_cancel_a_job_or_wait_until_it_has_stopped_agree_to_what_a_later_unattended_run_submits(
    stage: Stage, *, edited: bool
) -> None:
    replaced(stage)
    stage.run("plan", "-o", "1.json")
    cancelled = stage.run("apply", "--only-agreed", "1.json")
    assert [sent.path.rpartition("/")[2] for sent in cancelled.writes] == ["cancel"]
    if edited:
        edit(stage, lambda rows: rows[:-1])
    stage.run("plan", "-o", "2.json")
    stage.advance(60)
    assert stage.run("apply", "--only-agreed", "1.json", "2.json").code == 0
    assert counts(stage) == [COUNT, COUNT + 50 - edited - len(kept(stage, COUNT))]

"""A spec is edited while its job runs: what the job was asked is not submitted again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.cli.stage import Stage
from tests.helpers.requests_of import answered, asked

Rows: TypeAlias = list[dict[str, Any]]
FILE = "specs/data/a.jsonl"
COUNT = 500
"""Requests of a job that the sandbox answers in 15 seconds."""


def start(stage: Stage, **fields: object) -> None:
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
    assert len(second) == COUNT - sum(int(custom_id[1:]) < COUNT // 5 for custom_id in _before(stage, 0))
    assert done == {f"r{at}" for at in range(COUNT)}
    assert statuses(stage) == ["CANCELLED", "SUCCESS"]


def _before(stage: Stage, number: int) -> set[str]:
    """Return the custom_ids that a job has answered."""
    with stage.console() as client:
        job = sorted(stage.jobs(), key=lambda job: job["created_at"])[number]
        output = client.get(f"/v1/batch/jobs/{job['id']}").json()["output_file"]
        text = client.get(f"/v1/files/{output}/content").text
        return {json.loads(line)["custom_id"] for line in text.splitlines()}

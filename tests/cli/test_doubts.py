"""Doubtful models and bodies: warnings in every command that reads specs, and refusals in the sandbox only."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.schemas import conforming
from tests.cli.stage import HI, Stage

MISTAKEN = '{"custom_id":"a","body":{"messages":"hi"}}\n'


def doubtful(stage: Stage) -> None:
    stage.spec("old", model="pixtral-large-latest")
    stage.spec("odd")
    stage.write("specs/data/odd.jsonl", MISTAKEN + json.dumps({"custom_id": "b", "body": HI}) + "\n")


def test_validate_and_plan_warn_and_refuse_nothing(stage: Stage) -> None:
    doubtful(stage)
    validated, planned = stage.run("validate"), stage.run("plan")
    assert (validated.code, planned.code) == (0, 0)
    for text in (validated.out, planned.err):
        assert "specs/data/odd.jsonl:1: warning: `body.messages` is text, not a list\n" in text
        assert "hint: the API rejects such a request\n" in text
    words = "`pixtral-large-latest` was retired on 2026-05-31"
    assert f"specs/old.yaml:3:8: warning: model: {words}\n" in validated.out
    assert f"warning: {words} (old)\n" in planned.out
    assert words not in planned.err
    for text in (validated.out, planned.out):
        assert "hint: use `mistral-medium-3-5` (table of 2" in text
    assert "2 specs valid" in validated.out
    assert "2 to create" in planned.out


def test_the_json_of_a_validation_has_the_warnings(stage: Stage) -> None:
    doubtful(stage)
    report = conforming("validate", stage.run("validate", "--format", "json").out)
    assert [(it["path"], it["line"], it["warning"]) for it in report["problems"]] == [
        ("specs/data/odd.jsonl", 1, True),
        ("specs/old.yaml", 3, True),
    ]


def test_the_sandbox_refuses_the_model_and_fails_the_request(stage: Stage) -> None:
    doubtful(stage)
    applied = stage.run("apply", "--yes")
    assert applied.code == 5
    assert "Invalid model: pixtral-large-latest (was retired on 2026-05-31; use `mistral-medium-3-5`)" in (
        applied.out + applied.err
    )
    stage.advance(60)
    (job,) = stage.jobs()
    assert (job["name"], job["status"], job["succeeded_requests"], job["failed_requests"]) == (
        "odd",
        "SUCCESS",
        1,
        1,
    )


def test_a_model_is_refused_by_the_clock_of_the_sandbox(stage: Stage) -> None:
    stage.clock = 1_780_000_000.0  # 2026-05-28
    stage.spec("old", model="pixtral-large-latest")
    assert "retired" not in stage.run("validate").out
    assert stage.run("apply", "--yes").code == 0


def test_a_lenient_sandbox_takes_both(stage: Stage) -> None:
    stage.environ["RECONCILER_SANDBOX_LENIENT"] = "1"
    doubtful(stage)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert [job["failed_requests"] for job in stage.jobs()] == [0, 0]


def test_what_comes_after_the_example_batch_can_be_rehearsed(stage: Stage) -> None:
    specs = Path(__file__).parents[2] / "specs"
    for path in ("ticket-classes.yaml", "data/tickets.csv", "prompts/triage.md", "schemas/queue.json"):
        stage.write(f"specs/{path}", (specs / path).read_text(encoding="utf-8"))
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    (results,) = (stage.root / "outputs").rglob("results.jsonl")
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    tickets = [json.loads(row["body"]["choices"][0]["message"]["content"]) for row in rows]
    assert len(tickets) == 24
    assert all(it["queue"] == "delivery" and it["urgent"] is False for it in tickets)


def test_what_init_writes_has_no_warning_and_a_dated_model(stage: Stage) -> None:
    (stage.root / "reconciler.yaml").unlink()
    assert stage.run("init", "--no-workflows").code == 0
    assert "model: mistral-small-2603 " in (stage.root / "specs/example.yaml").read_text(encoding="utf-8")
    assert stage.run("validate").out == "1 spec valid, 3 requests\n"
    assert stage.run("apply", "--yes").code == 0

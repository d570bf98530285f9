"""The runner that reads results writes to the ledger what their jobs used, once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reconciler.ledger.fold import remember
from reconciler.ledger.line_format import decode_block
from reconciler.ledger.lines import UsageSeen
from tests.cli.stage import UNSTEADY, Stage
from tests.cli.test_completeness import api

pytestmark = pytest.mark.needs_ledger("the ledger is what is looked at")


def lines(stage: Stage) -> list[UsageSeen]:
    """Return the lines about usage."""
    (ledger,) = (stage.root / ".reconciler").rglob("ledger.jsonl")
    return [line for line in decode_block(ledger.read_bytes()) if isinstance(line, UsageSeen)]


def answered(stage: Stage, job_id: str) -> list[dict[str, Any]]:
    """Return the usage of each answer that the API has of a job."""
    with stage.console() as client:
        file_id = client.get(f"/v1/batch/jobs/{job_id}").json()["output_file"]
        text = client.get(f"/v1/files/{file_id}/content").text
    return [json.loads(line)["response"]["body"]["usage"] for line in text.splitlines()]


def test_a_pull_writes_what_each_job_used(stage: Stage) -> None:
    stage.spec("fine", requests=4)
    stage.spec("unsteady")
    inputs = stage.write("specs/data/unsteady.jsonl", UNSTEADY)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    seen = {line.name: line for line in lines(stage)}
    assert seen.keys() == {"fine", "unsteady"}
    fine, unsteady = seen["fine"], seen["unsteady"]
    found = answered(stage, fine.job_id)
    assert (fine.requests, fine.model, len(fine.recipe) > 0) == (4, "mistral-small-latest", True)
    sizes = [len(line) for line in (stage.root / "specs/data/fine.jsonl").read_bytes().splitlines()]
    prompts, completions = ([each[f"{name}_tokens"] for each in found] for name in ("prompt", "completion"))
    assert (fine.usage.prompt, fine.usage.completion) == (sum(prompts), sum(completions))
    by_bytes = sum(it**2 / size for it, size in zip(prompts, sizes, strict=True))
    assert fine.usage.prompt_squares == pytest.approx(by_bytes)
    assert fine.usage.completion_squares == sum(it**2 for it in completions)
    assert (fine.usage.answers, fine.usage.incomplete) == (4, 0)
    assert fine.usage.bytes == sum(map(len, (stage.root / "specs/data/fine.jsonl").read_bytes().splitlines()))
    assert (unsteady.requests, unsteady.usage.answers, unsteady.usage.incomplete) == (2, 1, 0)
    assert unsteady.usage.bytes == len(inputs.read_bytes().splitlines()[0])


def test_usage_is_written_once_and_also_of_results_that_another_runner_has_pulled(stage: Stage) -> None:
    stage.spec("a")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    first = lines(stage)
    assert stage.run("outputs", "pull").code == 0
    assert lines(stage) == first != []
    stage.forget()
    assert stage.run("outputs", "pull").code == 0
    assert [line.usage for line in lines(stage)] == [line.usage for line in first]


def test_a_preview_and_a_plan_write_no_usage(stage: Stage) -> None:
    stage.spec("a", retry={"max_attempts": 2})
    stage.write("specs/data/a.jsonl", UNSTEADY)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(4000)
    assert stage.run("outputs", "pull", "--dry-run").code == 0
    stage.run("plan")
    assert lines(stage) == []


def test_an_apply_that_reads_results_writes_what_their_jobs_used(stage: Stage) -> None:
    stage.spec("a", retry={"max_attempts": 2})
    stage.write("specs/data/a.jsonl", UNSTEADY)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(4000)
    stage.run("apply", "--yes")
    assert [(line.name, line.usage.answers) for line in lines(stage)] == [("a", 1)]


def test_answers_without_their_usage_make_it_incomplete(stage: Stage) -> None:
    stage.spec("a", requests=5)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)

    def without(data: bytes) -> bytes:
        return re.sub(rb'"usage":\{[^}]*\}', b'"usage":null', data, count=2)

    assert stage.run("outputs", "pull", env=api(content=without)).code == 0
    (line,) = lines(stage)
    assert (line.usage.answers, line.usage.incomplete) == (3, 2)


def test_of_two_lines_the_one_with_more_answers_counts(stage: Stage) -> None:
    stage.spec("a", requests=5)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    (line,) = lines(stage)
    forged = decode_block(
        json.dumps(
            {
                "v": 1,
                "kind": "usage_seen",
                "at": line.at + 10,
                "run_id": "x",
                "job_id": line.job_id,
                "name": "a",
                "usage": {"answers": 1},
            }
        ).encode()
        + b"\n"
    )
    assert remember([line, *forged], settle_seconds=60).usage == {line.job_id: line}

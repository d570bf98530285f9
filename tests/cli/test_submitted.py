"""What a job was asked is indexed when it is submitted, beside its future results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.documents.result_summary import ResultSummary
from reconciler.outputs.store import FolderStore
from reconciler.outputs.summaries import job_summaries
from tests.cli.stage import Result, Stage

CONTENT = "/v1/files/[^/]+/content"


def indexes(stage: Stage, place: str = "outputs") -> list[Path]:
    return sorted((stage.root / place).glob("*/jobs/*/asked.idx"))


def pulled(stage: Stage) -> tuple[Result, ResultSummary]:
    """Pull the results of the one job, and return its summary."""
    stage.advance(60)
    result = stage.run("outputs", "pull")
    (summary,) = job_summaries(FolderStore(stage.root / "outputs")).values()
    return result, summary


def fetched(result: Result) -> int:
    return sum(1 for sent in result.sent if re.fullmatch(CONTENT, sent.path))


def test_results_are_joined_with_what_was_submitted_although_the_file_has_changed(stage: Stage) -> None:
    stage.spec("a", requests=5)
    assert stage.run("apply", "--yes").code == 0
    (path,) = indexes(stage)
    assert path.parent.name == stage.jobs()[0]["id"]
    assert [it.name for it in path.parent.iterdir()] == ["asked.idx"]
    stage.lines("specs/data/a.jsonl", 2, text="changed")
    result, summary = pulled(stage)
    assert (result.code, fetched(result), summary.inputs) == (0, 1, "local")
    assert (summary.requests.total, summary.requests.ok, summary.requests.missing) == (5, 5, 0)


@pytest.mark.parametrize("damage", ["of another job", "of other inputs", "flipped", "cut off", "empty"])
def test_an_index_that_does_not_fit_is_made_again(stage: Stage, damage: str) -> None:
    stage.spec("a", requests=5)
    assert stage.run("apply", "--yes").code == 0
    (path,) = indexes(stage)
    data = path.read_bytes()
    words = {"of another job": stage.jobs()[0]["id"], "of other inputs": "v1:"}
    if damage in words:
        data = data.replace(words[damage].encode(), b"xxx" + words[damage].encode()[3:])
    elif damage == "flipped":
        data = data[:-50] + bytes([data[-50] ^ 1]) + data[-49:]
    path.write_bytes({"cut off": data[:-9], "empty": b""}.get(damage, data))
    stage.lines("specs/data/a.jsonl", 2, text="changed")
    result, summary = pulled(stage)
    assert (result.code, fetched(result), summary.inputs) == (0, 2, "uploaded")
    assert (summary.requests.total, summary.requests.ok) == (5, 5)


def test_a_place_that_cannot_be_written_fails_no_apply(stage: Stage) -> None:
    stage.spec("a")
    stage.spec("b")
    stage.write("outputs", "a file")
    result = stage.run("apply", "--yes")
    assert (result.code, len(stage.jobs())) == (0, 2)
    said = [(it["level"], it["name"]) for it in result.events if it["event"] == "results.not_indexed"]
    assert said == [("warning", "a"), ("warning", "b")]


def test_a_place_that_cannot_be_opened_fails_no_apply(stage: Stage) -> None:
    stage.spec("a")
    stage.environ["RECONCILER_RESULTS"] = "gs://x"
    result = stage.run("apply", "--yes")
    assert (result.code, len(stage.jobs())) == (0, 1)
    assert "results.not_indexed" in {it["event"] for it in result.events}


def test_the_index_is_in_the_object_store_of_the_results(stage: Stage, bucket: Any) -> None:  # noqa: ANN401
    stage.spec("a", requests=5)
    stage.write("reconciler.yaml", "project: shop\nresults: s3://bucket/results\n")
    assert stage.run("apply", "--yes").code == 0
    job = stage.jobs()[0]["id"]
    assert bucket.find("s3://bucket/results") == [f"/bucket/results/a/jobs/{job}/asked.idx"]
    stage.lines("specs/data/a.jsonl", 2, text="changed")
    stage.advance(60)
    result = stage.run("outputs", "pull", "--format", "json")
    summary = json.loads(result.out)["jobs"][0]["summary"]
    assert (result.code, fetched(result), summary["inputs"], summary["requests"]["ok"]) == (0, 1, "local", 5)


def test_a_job_of_an_uploaded_file_is_indexed_by_the_pull(stage: Stage) -> None:
    stage.spec("first", requests=5)
    assert stage.run("apply", "--yes").code == 0
    (upload,) = stage.jobs()[0]["input_files"]
    stage.spec("second", input_files=[upload])
    assert stage.run("apply", "--yes").code == 0
    assert [it.parts[-4] for it in indexes(stage)] == ["first"]
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    found = job_summaries(FolderStore(stage.root / "outputs")).values()
    assert sorted((it.name, it.inputs, it.requests.ok) for it in found) == [
        ("first", "local", 5),
        ("second", "uploaded", 5),
    ]


def test_every_round_of_a_wait_indexes_its_jobs(stage: Stage) -> None:
    stage.spec("a", model="sandbox-unknown-x", retry={"max_attempts": 2, "on": ["FAILED"]})
    stage.run("apply", "--yes", "--wait")
    ids = sorted(job["id"] for job in stage.jobs())
    assert [path.parent.name for path in indexes(stage)] == ids
    assert len(ids) == 2

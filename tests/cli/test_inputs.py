"""Input files in whole commands: each is uploaded once, as a whole, and with the content that was planned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model import InputFile
from reconciler.model.digests import sha256
from reconciler.specs.inputs.cache import Entry, InputCache
from reconciler.specs.inputs.requirements import FileFacts
from tests.cli.schemas import conforming
from tests.cli.stage import Fault, Stage


def shared(stage: Stage, count: int) -> Path:
    """Declare jobs that share one input file."""
    stage.environ["RECONCILER_SANDBOX_LENIENT"] = "1"
    for number in range(count):
        stage.spec(f"job-{number}", model=f"mistral-{number}", input_files=["data/job-0.jsonl"])
        if number:
            (stage.root / f"specs/data/job-{number}.jsonl").unlink()
    return stage.lines("specs/data/job-0.jsonl", 5)


def uploads(stage: Stage, *argv: str) -> int:
    result = stage.run("apply", "--yes", *argv)
    assert result.code == 0, result.err
    return sum(sent.method == "POST" and sent.path == "/v1/files" for sent in result.sent)


def test_ten_jobs_with_one_file_upload_it_once(stage: Stage) -> None:
    shared(stage, 10)
    assert uploads(stage) == 1
    assert len({job["input_files"][0] for job in stage.jobs()}) == 1


def test_a_second_apply_and_a_rerun_upload_nothing(stage: Stage) -> None:
    stage.spec("one")
    assert uploads(stage) == 1
    assert uploads(stage) == 0
    stage.advance(100_000)
    stage.spec("one", rerun="2")
    result = stage.run("apply", "--yes")
    assert [sent.path for sent in result.writes] == ["/v1/batch/jobs"]
    assert "input.reused" in {event["event"] for event in result.events}
    assert len({file for job in stage.jobs() for file in job["input_files"]}) == 1


def test_reuse_can_be_switched_off(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nuploads: {reuse: false}\n")
    stage.spec("one")
    assert uploads(stage) == 1
    stage.advance(100_000)
    stage.spec("one", rerun="2")
    assert uploads(stage) == 1


def test_an_upload_that_vanishes_before_the_create_is_sent_again_once(stage: Stage) -> None:
    stage.spec("one")
    uploads(stage)
    stage.advance(100_000)
    stage.spec("one", rerun="2")
    gone = json.dumps({"object": "error", "message": "File not found", "type": "invalid_request_error"})
    stage.faults = [
        Fault("POST", "/v1/batch/jobs", 404, body=gone.encode()),
        Fault("GET", r"/v1/files/.+", 404, body=gone.encode()),
    ]
    result = stage.run("apply", "--yes")
    assert result.code == 0, result.err
    assert [sent.path for sent in result.writes] == ["/v1/batch/jobs", "/v1/files", "/v1/batch/jobs"]
    assert len(stage.live()) == 1


def test_a_create_that_is_refused_for_another_reason_is_not_repeated(stage: Stage) -> None:
    stage.spec("one")
    uploads(stage)
    stage.advance(100_000)
    stage.spec("one", rerun="2")
    stage.faults = [Fault("POST", "/v1/batch/jobs", 422, body=b'{"detail":"no"}')]
    result = stage.run("apply", "--yes")
    assert result.code == 1
    assert [sent.path for sent in result.writes] == ["/v1/batch/jobs"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_whose_uploads_break_off_leaves_no_job_without_its_file(stage: Stage, when: str) -> None:
    shared(stage, 2)
    stage.faults = [Fault("POST", "/v1/files", "reset", when=when, times=99)]  # type: ignore[arg-type]
    assert stage.run("apply", "--yes").code == 1
    assert stage.jobs() == []
    stage.faults = []
    assert uploads(stage) == (1 if when == "before" else 0), "what arrived is used"
    assert len(stage.live()) == 2


def test_a_file_that_changed_after_the_plan_is_refused_with_both_digests(stage: Stage) -> None:
    stage.spec("one")
    before = (stage.root / "specs/data/one.jsonl").read_bytes()
    stage.run("plan", "-o", "plan.json")
    after = stage.lines("specs/data/one.jsonl", 3, text="other").read_bytes()
    result = stage.run("apply", "plan.json", "--yes")
    assert (result.code, result.writes) == (4, [])
    assert sha256(before) in result.err
    assert sha256(after) in result.err


def pointer(stage: Stage, path: str) -> bytes:
    """Replace a file by the pointer that Git LFS leaves if it has not fetched the content."""
    data = (stage.root / path).read_bytes()
    stage.write(
        path,
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(data)}\nsize {len(data)}\n",
    )
    return data


def test_a_pointer_of_git_lfs_plans_as_its_content_does(stage: Stage) -> None:
    stage.spec("one")
    assert uploads(stage) == 1
    pointer(stage, "specs/data/one.jsonl")
    result = stage.run("plan", "--detailed-exitcode")
    assert result.code == 0, result.out


def test_a_pointer_is_planned_and_not_applied(stage: Stage) -> None:
    stage.spec("one")
    data = pointer(stage, "specs/data/one.jsonl")
    planned = stage.run("plan")
    assert "unknown number of requests" in planned.out
    result = stage.run("apply", "--yes")
    assert (result.code, result.writes) == (1, [])
    assert 'git lfs pull --include "specs/data/one.jsonl"' in result.err + result.out
    (stage.root / "specs/data/one.jsonl").write_bytes(data)
    assert uploads(stage) == 1


def test_what_does_not_fit_into_the_workspace_waits_for_a_later_apply(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_workspace_pending: 8000}\n")
    stage.spec("a", requests=5000)
    stage.spec("b", requests=5000)
    first = stage.run("apply", "--yes")
    assert first.code == 0, first.err
    assert stage.live() == ["a"]
    assert "5,000 of this project and 0 of others" in first.out
    stage.advance(100_000)
    stage.run("apply", "--yes")
    assert stage.live() == ["b"]


def test_a_replace_without_room_for_both_is_done_within_one_apply(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.write("reconciler.yaml", "project: shop\nlimits: {max_workspace_pending: 8000}\n")
    stage.spec("a", requests=5000, reuse=False)
    assert stage.run("apply", "--yes").code == 0
    stage.spec("a", requests=6000, reuse=False)
    planned, applied = stage.run("plan"), stage.run("apply", "--yes")
    golden(planned, applied)
    assert applied.code == 0, applied.err
    assert [sent.path.rpartition("/")[2] for sent in applied.writes] == ["files", "cancel", "jobs"]
    assert stage.live() == ["a"]
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_a_plan_says_how_much_it_may_upload_each_content_once(stage: Stage) -> None:
    size = len(shared(stage, 3).read_bytes())
    assert f"upload up to {size} bytes" in stage.run("plan").out
    assert f"upload up to {size} bytes" in stage.run("plan", "--format", "markdown").out
    summary = json.loads(stage.run("plan", "--format", "json").out)["plan"]["summary"]
    assert (summary["upload_bytes"], summary["requests"]) == (size, 15)
    stage.spec("tried", canary={"requests": 1})
    assert f"upload up to {size} bytes and 1 part\n" in stage.run("plan").out


def test_a_forged_upload_is_not_used_if_uploads_are_verified(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nuploads: {verify: true}\n")
    stage.spec("one")
    uploads(stage)
    stage.advance(100_000)
    stage.spec("one", rerun="2")
    assert uploads(stage) == 0, "it was read back, and is what its name says"
    stage.advance(100_000)
    stage.spec("one", rerun="3")
    stage.faults = [Fault("GET", r"/v1/files/.+/content", 200, body=b"something else")]
    result = stage.run("apply", "--yes")
    assert "upload.content_mismatch" in {event["event"] for event in result.events}
    assert [sent.path for sent in result.writes] == ["/v1/files", "/v1/batch/jobs"]


def test_validate_reads_every_file_again_if_asked_to(stage: Stage) -> None:
    stage.spec("one", requests=3)
    path = "specs/data/one.jsonl"
    cache = InputCache(stage.root / ".reconciler", worth=1, racy_ns=-(10**12))
    stamp = cache.stamp(stage.root / path)
    assert stamp
    assert cache.get(path, stamp) is None
    digest = sha256((stage.root / path).read_bytes())
    file = InputFile(path=path, sha256=digest, size=stamp[0], requests=77)
    cache.put(Entry(stamp, file, FileFacts()))
    cache.save()

    def counted(*argv: str) -> object:
        return conforming("validate", stage.run("validate", "--format", "json", *argv).out)["requests"]

    assert (counted(), counted("--no-cache"), counted()) == (77, 3, 77)

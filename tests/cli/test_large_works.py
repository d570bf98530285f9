"""A work that is too large for one job is submitted in parts, one after the other, and has one result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.stage import Fault, Result, Stage
from tests.helpers.requests_of import asked, results
from tests.helpers.thorough import thorough


def large(
    stage: Stage,
    *counts: int,
    limits: str = "requests_per_job: 4",
    **fields: Any,  # noqa: ANN401 - of a spec
) -> list[str]:
    """Write a spec of several files with so many requests each, and return their custom_ids."""
    stage.write("reconciler.yaml", f"project: shop\nlimits: {{{limits}, late_seconds: 0}}\n")
    names = [f"data/{at}.jsonl" for at in range(len(counts))]
    stage.spec("a", input_files=names, **fields)
    (stage.root / "specs/data/a.jsonl").unlink()
    ids = []
    for name, at in zip(names, range(len(counts)), strict=True):
        rows = [f"{at}-{number}" for number in range(counts[at])]
        body = '"body": {"messages": [{"role": "user", "content": "Hi"}]}'
        stage.write(f"specs/{name}", "".join(f'{{"custom_id": "{row}", {body}}}\n' for row in rows))
        ids += rows
    return ids


def apply(stage: Stage, *argv: str) -> Result:
    """Apply, and let the jobs end."""
    result = stage.run("apply", "--yes", *argv)
    stage.advance(600)
    return result


def test_parts_follow_one_another_and_make_one_result(stage: Stage, golden: Callable[..., None]) -> None:
    ids = large(stage, 10)
    shown = [stage.run("validate"), stage.run("plan"), *(apply(stage) for _ in range(4))]
    golden(*shown)
    assert asked(stage) == [ids[:4], ids[4:8], ids[8:]]
    assert [(row["custom_id"], row["ok"]) for row in results(stage)] == [(it, True) for it in ids]
    assert stage.run("plan", "--detailed-exitcode", "--fail-on-attention").code == 0


@pytest.mark.parametrize("speed", ["1", "inf"])
def test_a_waiting_apply_submits_every_part_however_fast_the_jobs_end(stage: Stage, speed: str) -> None:
    stage.environ["RECONCILER_SANDBOX_SPEED"] = speed
    ids = large(stage, 10)
    assert stage.run("apply", "--yes", "--wait").code == 0
    assert asked(stage) == [ids[:4], ids[4:8], ids[8:]]


def test_while_a_part_runs_no_other_is_submitted(stage: Stage) -> None:
    large(stage, 10)
    stage.run("apply", "--yes")
    again = stage.run("apply", "--yes")
    assert not again.writes
    assert len(asked(stage)) == 1


def test_a_file_that_is_too_large_is_cut_byte_by_byte(stage: Stage) -> None:
    ids = large(stage, 9, limits="file_bytes: 350")
    file = stage.root / "specs/data/0.jsonl"
    assert file.stat().st_size > 350
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    for _ in range(4):
        apply(stage)
    assert [row for part in asked(stage) for row in part] == ids
    with stage.console() as client:
        files = [it for it in client.get("/v1/files").json()["data"] if it["source"] == "upload"]
        sent = {client.get(f"/v1/files/{it['id']}/content").content for it in files}
    assert len(sent) > 1
    assert all(len(content) <= 350 for content in sent)
    whole = file.read_bytes() + b"\n"
    assert all(content in whole for content in sent), "every line has the bytes that it has in the input"
    assert len(results(stage)) == 9


def test_each_part_has_a_file_for_each_input_file_with_requests_in_it(stage: Stage) -> None:
    ids = large(stage, 3, 3, 3, limits="requests_per_job: 5")
    for _ in range(3):
        apply(stage)
    with stage.console() as client:
        details = [client.get(f"/v1/batch/jobs/{job['id']}").json() for job in stage.jobs()]
    assert sorted(len(it["input_files"]) for it in details) == [2, 2]
    assert [len(part) for part in asked(stage)] == [5, 4]
    assert sorted(row for part in asked(stage) for row in part) == ids
    assert sorted(row["custom_id"] for row in results(stage)) == ids


def test_several_files_that_fit_each_are_one_job(stage: Stage) -> None:
    large(stage, 3, 3, limits="file_bytes: 350")
    apply(stage)
    assert [len(part) for part in asked(stage)] == [6]


def test_what_failed_in_a_part_is_retried_with_the_next_one(stage: Stage) -> None:
    large(stage, 8, limits="requests_per_job: 4", retry={"max_attempts": 2})
    file = stage.root / "specs/data/0.jsonl"
    file.write_text(file.read_text().replace('"0-1"', '"0-1!fail-429"').replace('"0-2"', '"0-2!fail-400"'))
    for _ in range(4):
        apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 4, 1]
    assert asked(stage)[1] == ["0-1!fail-429", "0-4", "0-5", "0-6"]
    assert [row["custom_id"] for row in results(stage) if not row["ok"]] == ["0-1!fail-429", "0-2!fail-400"]


def test_the_canary_of_a_large_work_comes_first(stage: Stage) -> None:
    ids = large(stage, 10, canary={"requests": 2})
    for _ in range(4):
        apply(stage)
    assert asked(stage) == [ids[:2], ids[2:6], ids[6:]]


@pytest.mark.parametrize("kill", [2, 4, *map(thorough, (1, 3, 5, 6, 7, 8))])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_part_whose_create_is_lost_is_not_submitted_twice(stage: Stage, kill: int, when: str) -> None:
    ids = large(stage, 10)
    stage.faults.append(Fault("POST", ".*", "reset", when, skip=kill - 1))  # type: ignore[arg-type]
    for _ in range(7):
        apply(stage)
    assert [row for part in asked(stage) for row in part] == ids
    assert all(row["ok"] for row in results(stage))


def test_without_its_content_a_large_work_is_held(stage: Stage) -> None:
    large(stage, 10, limits="file_bytes: 350")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5000\n".format("0" * 64)
    stage.write("specs/data/0.jsonl", pointer)
    held = apply(stage)
    assert not [sent for sent in held.writes if sent.path == "/v1/batch/jobs"]
    assert "results needed" in held.out


def test_a_raised_limit_submits_what_is_left_as_one_part(stage: Stage) -> None:
    ids = large(stage, 10)
    apply(stage)
    large(stage, 10, limits="requests_per_job: 100")
    apply(stage)
    assert asked(stage) == [ids[:4], ids[4:]]


def test_a_lower_limit_does_nothing_to_what_was_submitted(stage: Stage) -> None:
    large(stage, 10, limits="requests_per_job: 100")
    apply(stage)
    large(stage, 10)
    assert stage.run("plan", "--detailed-exitcode").code == 0
    assert "1 succeeded" in stage.run("plan").out


def test_an_edit_of_a_large_work_submits_the_edited_line(stage: Stage) -> None:
    ids = large(stage, 10, reuse=True)
    for _ in range(3):
        apply(stage)
    file = stage.root / "specs/data/0.jsonl"
    file.write_text(file.read_text().replace("Hi", "Hello", 1))
    for _ in range(2):
        apply(stage)
    assert asked(stage)[3:] == [ids[:1]]
    assert len(results(stage)) == 10


def test_a_saved_plan_of_a_large_work_covers_its_rest(stage: Stage) -> None:
    large(stage, 10)
    stage.run("plan", "-o", "plan.json")
    assert stage.run("apply", "plan.json", "--wait").code == 0
    assert [len(part) for part in asked(stage)] == [4, 4, 2]


def test_a_table_of_more_rows_than_one_job_may_have_is_submitted_in_parts(stage: Stage) -> None:
    large(stage, 1)
    stage.write("specs/data/0.csv", "id\n" + "".join(f"{number}\n" for number in range(10)))
    spec = "name: a\nendpoint: /v1/embeddings\nmodel: mistral-embed\nrows: data/0.csv\n"
    spec += "custom_id: '{{id}}'\nbody: {input: '{{id}}'}\n"
    stage.write("specs/a.yaml", spec)
    (stage.root / "specs/data/0.jsonl").unlink()
    for _ in range(3):
        apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 4, 2]

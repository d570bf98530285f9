"""Answers of earlier work count, under the same name or under the names that a spec lists."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest

from tests.cli.stage import Fault, Result, Stage
from tests.cli.test_requests import STUCK, TIMEOUT, apply, done, reusing
from tests.helpers.requests_of import answered, asked


def user(text: str) -> dict[str, str]:
    """Return the message of a user."""
    return {"role": "user", "content": text}


def renamed(stage: Stage, count: int, *, reuse: object) -> None:
    """Rename the spec of `reusing`, and write other requests for it."""
    (stage.root / "specs/a.yaml").unlink()
    (stage.root / "specs/data/a.jsonl").rename(stage.root / "specs/data/old.jsonl")
    stage.spec("b", requests=0, reuse=reuse)
    stage.lines("specs/data/b.jsonl", count, text="a")
    (stage.root / "specs/data/old.jsonl").unlink()


def rows_of(stage: Stage, name: str) -> list[dict[str, object]]:
    """Return the joined results of a name."""
    assert stage.run("outputs", "pull").code == 0
    lines = (stage.root / f"outputs/{name}/results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("reuse", "submitted"), [(["a"], ["r5", "r6"]), (True, [f"r{at}" for at in range(7)])]
)
def test_after_a_rename_with_an_edit_the_answers_of_the_names_that_a_spec_lists_count(
    stage: Stage, reuse: object, submitted: list[str]
) -> None:
    reusing(stage, 5)
    done(stage)
    renamed(stage, 7, reuse=reuse)
    done(stage)
    assert asked(stage)[1:] == [submitted]
    rows = rows_of(stage, "b")
    assert [row["custom_id"] for row in rows] == [f"r{at}" for at in range(7)]
    assert all(row["ok"] for row in rows)


def test_a_renamed_spec_that_wants_less_submits_nothing_and_has_its_results(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    renamed(stage, 3, reuse=["a"])
    done(stage)
    assert len(asked(stage)) == 1
    assert [row["ok"] for row in rows_of(stage, "b")] == [True] * 3
    assert stage.run("plan", "--detailed-exitcode", "--fail-on-attention").code == 0


def test_a_job_of_a_name_that_a_spec_lists_ends_before_anything_is_submitted(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {allow_empty: true}\n")
    reusing(stage, 3000)
    apply(stage, after=5)
    renamed(stage, 3001, reuse=["a"])
    assert "= wait " in apply(stage, after=60).out
    assert len(asked(stage)) == 1
    before = answered(stage)
    assert before
    stage.run("plan", "-o", "plan.json")  # without a replacement, only the ledger shows who cancelled it
    stage.run("apply", "plan.json")
    assert len(asked(stage)) == 2
    assert not before & set(asked(stage)[1])
    assert len(before) + len(asked(stage)[1]) == 3001


def test_a_job_of_a_name_that_a_spec_lists_ends_first_also_while_it_is_being_cancelled(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {allow_empty: true}\n")
    reusing(stage, 3000)
    apply(stage, after=5)
    renamed(stage, 3001, reuse=["a"])
    apply(stage, after=0)
    assert stage.jobs()[0]["status"] == "CANCELLATION_REQUESTED"
    assert "= wait " in apply(stage, after=0).out
    assert len(asked(stage)) == 1


def test_a_run_that_waits_ends_if_what_is_left_needs_an_agreed_plan(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {allow_empty: true}\n")
    reusing(stage, 3000)
    apply(stage, after=5)
    renamed(stage, 3001, reuse=["a"])
    waited = stage.run("apply", "--yes", "--wait")
    assert len(asked(stage)) == 1, waited.out


def test_a_job_that_another_spec_took_over_ends_before_its_requests_are_submitted_again(stage: Stage) -> None:
    reusing(stage, 3000)
    apply(stage, after=5)
    stage.spec("b", requests=0)
    stage.write("specs/data/b.jsonl", (stage.root / "specs/data/a.jsonl").read_text())
    reusing(stage, 3001)
    assert "= wait " in apply(stage, after=60).out
    assert len(asked(stage)) == 1
    done(stage)
    assert asked(stage)[1:] == [["r3000"]]


def test_of_two_new_specs_the_one_that_reuses_answers_waits_for_the_job_of_the_other(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\n")
    stage.spec("b", requests=0)
    stage.lines("specs/data/b.jsonl", 3, text="a")
    stage.spec("a", requests=4, reuse=["b"])
    assert "= wait    a  for the job of `b` to end" in apply(stage).out
    done(stage)
    assert asked(stage) == [["r0", "r1", "r2"], ["r3"]]


def test_of_two_new_specs_that_reuse_the_answers_of_each_other_one_waits(stage: Stage) -> None:
    for name, other, count in (("a", "b", 4), ("b", "a", 3)):
        stage.spec(name, requests=0, reuse=[other])
        stage.lines(f"specs/data/{name}.jsonl", count, text="a")
    done(stage)
    assert asked(stage) == [["r0", "r1", "r2", "r3"]]


def test_the_answers_of_a_split_count_for_each_half(stage: Stage) -> None:
    reusing(stage, 6)
    done(stage)
    for name, lines in (("b", slice(0, 3)), ("c", slice(3, 6))):
        stage.spec(name, requests=0, reuse=["a"])
        text = (stage.root / "specs/data/a.jsonl").read_text().splitlines(keepends=True)
        stage.write(f"specs/data/{name}.jsonl", "".join(text[lines]))
    (stage.root / "specs/a.yaml").unlink()
    (stage.root / "specs/data/a.jsonl").unlink()
    done(stage)
    assert len(asked(stage)) == 1
    assert [row["custom_id"] for name in "bc" for row in rows_of(stage, name)] == [
        f"r{at}" for at in range(6)
    ]


@pytest.mark.parametrize(
    "case", ["the old name is gone", "the old name is taken", "the first record is deleted"]
)
def test_a_rename_takes_the_answers_along_that_earlier_work_gave(stage: Stage, case: str) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 6)
    lines = stage.root / "specs/data/a.jsonl"
    lines.write_text(lines.read_text().replace('"r5"', '"r5!fail-500"'))
    done(stage)
    lines.rename(stage.root / "specs/data/b.jsonl")
    spec = stage.root / "specs/a.yaml"
    text = spec.read_text().replace('name: "a"', 'name: "b"').replace("a.jsonl", "b.jsonl")
    spec.rename(stage.root / "specs/b.yaml").write_text(text)
    if case == "the old name is taken":
        stage.spec("a", requests=1)
        stage.lines("specs/data/a.jsonl", 1, text="other")
    if case == "the first record is deleted":
        stage.run("outputs", "pull")
        first = min(stage.jobs(), key=lambda job: job["created_at"])
        with stage.console() as client:
            client.delete(f"/v1/batch/jobs/{first['id']}").raise_for_status()
    else:
        shutil.rmtree(stage.root / "outputs")
    before = stage.run("plan").out
    assert "1 of 6 requests have no answer" in before
    (stage.root / "specs/b.yaml").write_text(f"{text}retry:\n  max_attempts: 3\n")
    done(stage)
    assert [part for part in asked(stage)[-2:] if part != ["r0"]][-1:] == [["r5!fail-500"]]
    assert sum("r0" in part for part in asked(stage)) == {
        "the old name is gone": 1,
        "the old name is taken": 2,
    }.get(case, 0)
    assert [row["custom_id"] for row in rows_of(stage, "b")] == [
        *(f"r{at}" for at in range(5)),
        "r5!fail-500",
    ]


def test_a_job_that_another_spec_took_over_still_answers_for_the_name_in_its_tags(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    whole = (stage.root / "specs/data/a.jsonl").read_text()
    stage.spec("b", requests=0)
    stage.write("specs/data/b.jsonl", whole)
    reusing(stage, 6)
    done(stage)
    assert asked(stage)[1:] == [["r5"]]
    assert [len(rows_of(stage, name)) for name in "ab"] == [6, 5]


def test_what_was_reused_stays_in_the_results_after_reuse_is_switched_off(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 6)
    done(stage)
    assert len(rows_of(stage, "a")) == 6
    spec = stage.root / "specs/a.yaml"
    spec.write_text(spec.read_text().replace("reuse: true\n", "reuse: false\n"))
    for file in (stage.root / "outputs/a").glob("*.json*"):
        file.unlink()
    assert [row["ok"] for row in rows_of(stage, "a")] == [True] * 6
    assert stage.run("plan", "--detailed-exitcode", "--fail-on-attention").code == 0
    assert [len(part) for part in asked(stage)] == [5, 1]


@pytest.mark.parametrize("reuse", [False, True, ["other"]])
@pytest.mark.parametrize("failed", [False, True])
def test_answers_of_a_name_that_a_spec_no_longer_lists_stay_in_the_work_that_reused_them(
    stage: Stage, *, reuse: object, failed: bool
) -> None:
    reusing(stage, 5)
    done(stage)
    renamed(stage, 7, reuse=["a"])
    file = stage.root / "specs/data/b.jsonl"
    if failed:
        file.write_text(file.read_text().replace('"r6"', '"r6!fail-400"'))
    stage.run("apply", "--yes")
    stage.advance(60)
    spec = stage.root / "specs/b.yaml"
    spec.write_text(spec.read_text().replace('reuse: ["a"]', f"reuse: {json.dumps(reuse)}"))
    for _ in range(2):
        shown = stage.run("apply", "--yes")
        assert "r6!fail-400" not in shown.out
        assert ("1 of 7 requests have no answer: 1 http_400" in shown.out) is failed, shown.out
    assert len(asked(stage)) == 2
    stage.run("outputs", "pull")
    lines = (stage.root / "outputs/b/results.jsonl").read_text().splitlines()
    assert [json.loads(line)["ok"] for line in lines] == [True] * 6 + [not failed]


def test_without_reuse_a_change_submits_everything_and_the_new_answers_are_the_results(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    stage.spec("a", requests=6, reuse=False)
    done(stage)
    assert [len(part) for part in asked(stage)] == [5, 6]
    newest = max(stage.jobs(), key=lambda job: job["created_at"])["id"]
    assert {row["job"] for row in rows_of(stage, "a")} == {newest}


def test_without_reuse_the_results_of_rewritten_lines_have_only_answers_to_the_same_requests(
    stage: Stage,
) -> None:
    for count in (4, 6):
        stage.spec("a", requests=count, reuse=False, model=STUCK, timeout_hours=24)
        apply(stage, after=TIMEOUT)
    stage.spec("a", requests=4, reuse=False, model=STUCK, timeout_hours=24)
    file = stage.root / "specs/data/a.jsonl"
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    apply(stage, after=TIMEOUT)
    assert [sorted(part) for part in asked(stage)[2:]] == [["r2", "r3"]]
    first, _, last = (job["id"] for job in sorted(stage.jobs(), key=lambda job: job["created_at"]))
    answers = {row["custom_id"]: row["job"] for row in rows_of(stage, "a") if row["ok"]}
    assert answers == {"r0": first, "r1": first, "r3": last}, "the job between answered r2 under other work"


def test_a_name_has_the_results_of_its_work_also_if_only_jobs_of_another_name_answered_it(
    stage: Stage,
) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {allow_empty: true}\n")
    stage.spec("a", requests=3)
    done(stage)
    assert len(rows_of(stage, "a")) == 3
    for suspend in (False, True):  # the job of `a` is cancelled without an answer
        stage.spec("a", requests=4, model="mistral-medium-latest", suspend=suspend)
        stage.run("apply", "--yes")
    stage.advance(60)
    (stage.root / "specs/a.yaml").rename(stage.root / "specs/b.yaml")
    stage.spec("b", requests=0, model="mistral-medium-latest")
    (stage.root / "specs/data/a.jsonl").rename(stage.root / "specs/data/b.jsonl")
    stage.run("plan", "-o", "plan.json")  # only the ledger shows who cancelled it
    stage.run("apply", "plan.json")
    stage.advance(60)
    stage.spec("a", requests=4, model="mistral-medium-latest")
    assert [len(part) for part in asked(stage)] == [3, 4, 4]
    assert rows_of(stage, "a") == rows_of(stage, "b")


def test_a_copy_of_a_spec_has_the_answers_that_its_work_reused(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 6)
    done(stage)
    text = (stage.root / "specs/data/a.jsonl").read_text()
    stage.spec("b", requests=0, reuse=True)
    stage.write("specs/data/b.jsonl", text)
    reusing(stage, 7)
    done(stage)
    assert asked(stage)[1:] == [["r5"], ["r6"]]
    assert [row["ok"] for row in rows_of(stage, "b")] == [True] * 6


def test_results_count_for_the_name_of_their_job_wherever_they_are(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {allow_empty: true}\n")
    stage.spec("a", requests=4, canary={"requests": 2})
    apply(stage)
    text = (stage.root / "specs/data/a.jsonl").read_text()
    (stage.root / "specs/a.yaml").unlink()
    stage.spec("b", requests=0, canary={"requests": 2})
    stage.write("specs/data/b.jsonl", text)
    done(stage)
    assert len(rows_of(stage, "b")) == 4
    assert list((stage.root / "outputs/b/jobs").iterdir()) != []
    stage.spec("a", requests=4, canary={"requests": 2})
    stage.lines("specs/data/b.jsonl", 5, text="a")
    done(stage)
    assert asked(stage)[2:] == [["r0", "r1", "r4"]]
    assert [row["ok"] for row in rows_of(stage, "b")] == [True] * 5


def test_pulled_answers_of_earlier_work_count_after_its_record_is_deleted(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    stage.run("outputs", "pull")
    with stage.console() as client:
        client.delete(f"/v1/batch/jobs/{stage.jobs()[0]['id']}").raise_for_status()
    reusing(stage, 6)
    for _ in range(2):
        stage.run("apply", "--yes", "--allow-other-workspace")
        stage.advance(60)
    assert asked(stage) == [["r5"]]
    assert len(rows_of(stage, "a")) == 6


@pytest.mark.parametrize("keys", ["custom_id body", "body custom_id"])
def test_an_edit_of_requests_in_the_spec_needs_no_results_of_another_machine(stage: Stage, keys: str) -> None:
    for count in (5, 6):
        rows = [{"custom_id": f"r{at}", "body": {"messages": [user(f"{at}")]}} for at in range(count)]
        ordered = [{key: row[key] for key in keys.split()} for row in rows]
        stage.spec("a", requests=0, input_files=None)
        spec = stage.root / "specs/a.yaml"
        spec.write_text(f"{spec.read_text()}requests: {json.dumps(ordered)}\n")
        done(stage)
        shutil.rmtree(stage.root / "outputs")
    assert asked(stage) == [[f"r{at}" for at in range(5)], ["r5"]]


# What is read.


def content(result: Result) -> int:
    """Return how many files were read from the API."""
    return len([sent for sent in result.sent if sent.path.endswith("/content")])


def half_failed(stage: Stage) -> None:
    """A job has ended, and two of its six requests have failed in a way that is retried."""
    reusing(stage, 6)
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace('"r1"', '"r1!fail-429"').replace('"r4"', '"r4!fail-429"'))
    apply(stage)


def test_a_plan_reads_results_from_the_api_once_and_is_exact(stage: Stage) -> None:
    half_failed(stage)
    first, second = stage.run("plan"), stage.run("plan")
    assert "submits 2 of 6 requests, reuses 4" in first.out
    assert first.out == second.out
    assert (content(first), content(second)) == (2, 0)
    assert not (stage.root / "outputs/a/results.jsonl").exists()
    kept = {path.name for path in (stage.root / ".reconciler").rglob("jobs/*/*")}
    assert kept == {"asked.idx", "answers.idx", "summary.json"}, "no answers"


@pytest.mark.parametrize("name", ["asked.idx", "answers.idx", "summary.json"])
@pytest.mark.parametrize("where", [".reconciler", "outputs"])
def test_what_is_damaged_of_the_results_is_read_again(stage: Stage, name: str, where: str) -> None:
    half_failed(stage)
    before = stage.run("plan").out
    if where == "outputs":
        stage.run("outputs", "pull")
        shutil.rmtree(stage.root / ".reconciler/sandbox/shop/read")
    (damaged,) = (stage.root / where).rglob(f"jobs/*/{name}")
    damaged.write_bytes(damaged.read_bytes()[:-9])
    planned = [stage.run("plan").out for _ in range(2)]
    assert before in planned or where == "outputs"
    assert planned[0] == planned[1]
    assert "submits 2 of 6 requests, reuses 4" in apply(stage).out
    assert [len(part) for part in asked(stage)] == [6, 2]


def test_results_of_a_newer_version_are_left_as_they_are(stage: Stage) -> None:
    half_failed(stage)
    stage.run("outputs", "pull")
    (newer,) = (stage.root / "outputs").rglob("jobs/*/summary.json")
    newer.write_text('{"v": 99}')
    assert "results needed" in stage.run("apply", "--yes").out
    stage.run("outputs", "pull")
    assert newer.read_text() == '{"v": 99}'
    assert len(asked(stage)) == 1


def test_a_plan_reads_no_more_than_the_limit_and_says_at_most(stage: Stage) -> None:
    half_failed(stage)
    stage.write("reconciler.yaml", "project: shop\nlimits: {plan_read_bytes: 300}\n")
    plan = stage.run("plan")
    assert content(plan) == 0
    assert "submits at most 6 of 6 requests" in plan.out
    assert "submits 2 of 6 requests, reuses 4" in apply(stage).out


def test_planning_twice_is_equal_after_the_place_of_results_is_back(stage: Stage) -> None:
    """It has only the index that the create wrote, and the plan has read answers that do not say what they used."""
    stage.spec("a", requests=4, canary={"requests": 2}, reuse=True)
    apply(stage)
    (stage.root / "outputs").rename(stage.root / "away")
    stage.lines("specs/data/a.jsonl", 6, text="a")
    answer = {
        "status_code": 200,
        "body": {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]},
    }
    rows = [{"custom_id": f"r{at}", "response": answer, "error": None} for at in range(2)]
    body = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path = f"/v1/files/{stage.jobs()[0]['output_file']}"
    stage.faults = [
        Fault("GET", path, 200, times=9, alter=lambda file: file | {"bytes": len(body)}),
        Fault("GET", f"{path}/content", 200, times=9, body=body),
    ]
    first = stage.run("plan")
    assert "submits 4 of 6 requests, reuses 2" in first.out
    (stage.root / "away").rename(stage.root / "outputs")
    assert [stage.run("plan").out for _ in range(3)] == [first.out] * 3


def test_a_plan_without_changes_reads_no_results(stage: Stage) -> None:
    reusing(stage, 6)
    apply(stage)
    plan = stage.run("plan")
    assert plan.out.startswith("No changes.")
    assert [sent.path for sent in plan.sent] == ["/v1/batch/jobs"]


def test_results_of_requests_that_nobody_wants_any_more_are_not_read(stage: Stage) -> None:
    half_failed(stage)
    stage.lines("specs/data/a.jsonl", 6, text="something else")
    plan, applied = stage.run("plan"), apply(stage)
    assert (content(plan), content(applied)) == (0, 0)
    assert [len(part) for part in asked(stage)] == [6, 6]


def test_a_fresh_clone_plans_an_edit_from_the_indexes_of_an_object_store(
    stage: Stage,
    bucket: Any,  # noqa: ANN401 - fsspec has no types
) -> None:
    stage.write("reconciler.yaml", "project: shop\nresults: s3://bucket/results\n")
    reusing(stage, 6)
    apply(stage)
    stage.run("outputs", "pull")
    shutil.rmtree(stage.root / ".reconciler/pulling", ignore_errors=True)
    reusing(stage, 6, edit={2: "other"})
    plan = stage.run("plan")
    assert "submits 1 of 6 requests, reuses 5" in plan.out
    assert content(plan) == 0
    assert not [*(stage.root / ".reconciler").rglob("output.jsonl")]
    assert content(apply(stage)) == 0
    assert asked(stage)[1:] == [["r2"]]
    assert bucket.find("s3://bucket/results")


def test_a_fresh_clone_without_results_reads_what_the_jobs_were_asked_and_answered(stage: Stage) -> None:
    half_failed(stage)
    shutil.rmtree(stage.root / "outputs")
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace("a 3", "another"))
    plan = stage.run("plan")
    assert "submits 3 of 6 requests, reuses 3" in plan.out
    assert content(plan) == 3, "the input, the answers and the errors"
    stage.write("reconciler.yaml", "project: shop\nlimits: {plan_read_bytes: 0}\n")
    shutil.rmtree(next((stage.root / ".reconciler").rglob("read")), ignore_errors=True)
    assert "submits at most 6 of 6 requests" in stage.run("plan").out
    assert "submits 3 of 6 requests, reuses 3" in apply(stage).out


@pytest.mark.parametrize("retried", [True, False])
def test_an_error_line_without_a_custom_id_is_of_a_request_without_a_line(
    stage: Stage, *, retried: bool
) -> None:
    on = ["missing", *(["error"] if retried else [])]
    stage.spec("a", requests=5, retry={"max_attempts": 2, "on": on})
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace('"r1"', '"r1!fail-noid"'))
    for _ in range(4):
        apply(stage)
    assert asked(stage)[1:] == [["r1!fail-noid"]] * retried
    assert ("add error to `retry.on`" in stage.run("status").out) is not retried


def test_without_the_error_file_alone_the_answers_count(stage: Stage) -> None:
    half_failed(stage)
    (job,) = stage.jobs()
    stage.faults.append(
        Fault("GET", f"/v1/files/{job['error_file']}.*", 410, times=1000, body=b'{"detail":"gone"}')
    )
    assert "submits 2 of 6 requests, reuses 4" in apply(stage).out
    assert len(asked(stage)) == 2


def test_answers_that_are_gone_hold_until_they_are_back(stage: Stage) -> None:
    half_failed(stage)
    stage.run("outputs", "pull")
    (stage.root / "outputs").rename(stage.root / "kept")
    (job,) = stage.jobs()
    stage.faults.append(
        Fault("GET", f"/v1/files/{job['output_file']}.*", 404, times=1000, body=b'{"detail":"gone"}')
    )
    stage.advance(2 * 3600)
    for _ in range(2):
        held = apply(stage)
        assert "answers gone" in held.out
    assert stage.run("plan", "--fail-on-attention").code == 6
    assert len(asked(stage)) == 1
    shutil.rmtree(stage.root / "outputs", ignore_errors=True)
    stage.environ["RECONCILER_RESULTS"] = "kept"
    assert "submits 2 of 6 requests, reuses 4" in apply(stage).out


def test_answers_of_different_models_are_counted_by_model_and_the_plan_says_so(stage: Stage) -> None:
    """The name of a model means another model since the first job."""
    reusing(stage, 5)
    apply(stage)
    (job,) = stage.jobs()
    with stage.console() as client:
        text = client.get(f"/v1/files/{job['output_file']}/content").content
    older = text.replace(b"mistral-small-latest", b"mistral-small-260301")
    stage.faults.append(Fault("GET", f"/v1/files/{job['output_file']}/content", 200, times=9, body=older))
    stage.run("outputs", "pull")
    reusing(stage, 6)
    apply(stage)
    stage.run("outputs", "pull")
    reusing(stage, 7)
    words = "the answers so far are of 2 models: mistral-small-260301, mistral-small-latest"
    assert words in stage.run("plan").out
    apply(stage)
    stage.run("outputs", "pull")
    assert "models: mistral-small-260301 5, mistral-small-latest 2" in stage.run("outputs", "show", "a").out


def test_what_a_deleted_job_answered_counts_also_after_a_job_without_any_result(stage: Stage) -> None:
    """The newer job failed as a whole, so that nothing but the pulled results shows that requests are answered."""
    stage.spec("a", requests=4)
    apply(stage)
    stage.run("outputs", "pull")
    (job,) = stage.jobs()
    with stage.console() as client:
        client.delete(f"/v1/batch/jobs/{job['id']}").raise_for_status()
    stage.forget()
    kept = stage.root / "outputs"
    kept.rename(stage.root / "away")
    stage.spec("a", requests=5, model="sandbox-unknown-x", retry={"max_attempts": 3, "on": ["FAILED"]})
    apply(stage)
    (failed,) = stage.jobs()
    assert (failed["status"], len(asked(stage)[-1])) == ("FAILED", 5)
    shutil.rmtree(kept, ignore_errors=True)
    (stage.root / "away").rename(kept)
    # The sandbox has no model that answers first and fails later: let the answers be of the one that fails.
    summary = kept / f"a/jobs/{job['id']}/summary.json"
    (recipe,) = re.findall(r"recipe=(\w+)", failed["metadata"]["reconciler.run"])
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"recipe": recipe}))
    apply(stage)
    assert asked(stage)[-1] == ["r4"]

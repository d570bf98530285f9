"""A job submits only requests that were never answered, and that are new or may be retried."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.requests.index_file import read_index, write_index
from tests.cli.stage import Fault, Result, Stage
from tests.cli.test_completeness import api
from tests.helpers.requests_of import answered, asked, results

STUCK = "sandbox-stuck-1"
"""A model that answers half of the requests of a job and then nothing, until its timeout."""
TIMEOUT = 25 * 3600


def mixed(stage: Stage, count: int = 10, *, attempts: int = 3) -> None:
    """Write a spec of requests of which two fail with 429 and one with 400, however often they are submitted."""
    stage.spec("a", requests=count, retry={"max_attempts": attempts})
    ends = {2: "!fail-429", 5: "!fail-400", 7: "!fail-429"}
    file = stage.root / "specs/data/a.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for at, end in ends.items():
        rows[at]["custom_id"] += end
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def apply(stage: Stage, *, after: float = 60) -> Result:
    """Apply, and let the jobs end."""
    result = stage.run("apply", "--yes")
    stage.advance(after)
    return result


def test_what_failed_is_submitted_again_alone_and_as_often_as_the_spec_allows(
    stage: Stage, golden: Callable[..., None]
) -> None:
    mixed(stage)
    shown = [apply(stage) for _ in range(5)]
    golden(*shown[1:4])
    whole, *retries = asked(stage)
    assert len(whole) == 10
    assert retries == [["r2!fail-429", "r7!fail-429"]] * 2, "429 is retried twice, 400 never"
    rows = results(stage)
    assert [row["custom_id"] for row in rows] == whole, "one result, in the order of the input"
    assert [row["custom_id"] for row in rows if not row["ok"]] == [
        "r2!fail-429",
        "r5!fail-400",
        "r7!fail-429",
    ]
    status = stage.run("status")
    assert "3 of 10 requests have no answer: 2 http_429, 1 http_400" in status.out


def test_a_job_that_timed_out_is_continued_until_everything_is_answered(stage: Stage) -> None:
    stage.spec("a", requests=16, model=STUCK, timeout_hours=24, retry={"max_attempts": 6})
    for _ in range(6):
        done = answered(stage)
        before = len(asked(stage))
        apply(stage, after=TIMEOUT)
        for part in asked(stage)[before:]:
            assert not done & set(part), "what is answered is never submitted again"
    counts = Counter(custom_id for part in asked(stage) for custom_id in part)
    assert max(counts.values()) <= 6
    assert [len(part) for part in asked(stage)][:4] == [16, 8, 4, 2]


def test_apply_waits_and_retries_what_failed_within_one_run(stage: Stage) -> None:
    mixed(stage)
    waited = stage.run("apply", "--yes", "--wait")
    assert waited.code == 6
    assert [len(part) for part in asked(stage)] == [10, 2, 2]
    assert "3 of 10 requests have no answer" in waited.out
    assert not stage.run("plan", "--detailed-exitcode").code


def test_apply_waits_until_everything_is_answered(stage: Stage) -> None:
    stage.spec("a", requests=4, model=STUCK, timeout_hours=1, retry={"max_attempts": 5})
    assert stage.run("apply", "--yes", "--wait").code == 6, "this model never answers the last request"
    assert [len(part) for part in asked(stage)][:3] == [4, 2, 1]


def test_plan_and_apply_say_how_many_requests_are_submitted_and_reused(stage: Stage) -> None:
    mixed(stage)
    apply(stage)
    stage.write("reconciler.yaml", "project: shop\nlimits: {plan_read_bytes: 100}\n")
    assert "submits at most 10 of 10 requests" in stage.run("plan").out
    stage.run("outputs", "pull")
    document = json.loads(stage.run("plan", "--format", "json").out)["plan"]
    (create,) = [action for decision in document["decisions"] for action in decision["actions"]]
    assert (create["requests"], create["of"], create["reused"]) == (2, 10, 7)
    assert "submits 2 of 10 requests, reuses 7" in stage.run("plan").out
    assert "submits 2 of 10 requests, reuses 7" in stage.run("plan", "--format", "markdown").out


def test_the_tags_of_a_part_say_what_it_is_of(stage: Stage) -> None:
    mixed(stage, attempts=2)
    apply(stage)
    apply(stage)
    newest = max(stage.jobs(), key=lambda job: job["created_at"])
    with stage.console() as client:
        tags = client.get(f"/v1/batch/jobs/{newest['id']}").json()["metadata"]
    words = dict(word.split("=", 1) for word in tags["reconciler.run"].split())
    assert (words["of"], words["reused"], words["attempt"]) == ("10", "7", "2")
    assert "requests=2" in tags["reconciler.inputs"]


def test_a_part_whose_create_is_lost_is_not_submitted_twice(stage: Stage) -> None:
    mixed(stage, attempts=2)
    apply(stage)
    stage.faults.append(Fault("POST", "/v1/batch/jobs", "timeout", "after"))
    stage.run("apply", "--yes")
    stage.faults.clear()
    for _ in range(3):
        apply(stage, after=120)
    assert len(asked(stage)) == 2


def test_without_the_results_of_a_part_nothing_is_submitted(stage: Stage) -> None:
    mixed(stage, attempts=3)
    apply(stage)
    apply(stage)
    for folder in (stage.root / "outputs").glob("a/jobs/*"):
        for file in folder.iterdir():
            file.unlink()
    stage.faults.append(Fault("GET", "/v1/files/.*/content", 500, times=1000))
    held = apply(stage)
    assert not [sent for sent in held.writes if sent.path == "/v1/batch/jobs"]
    assert len(asked(stage)) == 2
    stage.faults.clear()
    apply(stage)
    assert len(asked(stage)) == 3, "once the results can be read, it goes on"


def test_a_file_that_changes_between_plan_and_create_submits_nothing(stage: Stage) -> None:
    mixed(stage, attempts=2)
    apply(stage)
    stage.run("outputs", "pull")
    saved = stage.run("plan", "-o", "plan.json")
    assert saved.code == 0
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace("a 2", "other"))
    assert stage.run("apply", "plan.json").code == 4
    assert len(asked(stage)) == 1


@pytest.mark.parametrize("inline", [True, False])
def test_requests_in_the_spec_itself_are_retried_alone_too(stage: Stage, *, inline: bool) -> None:
    rows = [
        {"custom_id": f"r{at}{'!fail-500' * (at == 1)}", "body": {"input": [f"text {at}"]}} for at in range(3)
    ]
    fields = {"requests": rows} if inline else {"input_files": ["data/b.jsonl", "data/c.jsonl"]}
    if not inline:
        stage.write("specs/data/b.jsonl", "".join(json.dumps(row) + "\n" for row in rows[:2]))
        stage.write("specs/data/c.jsonl", json.dumps(rows[2]))
    body = {"name": "a", "endpoint": "/v1/embeddings", "model": "mistral-embed", "retry": {"max_attempts": 2}}
    stage.write("specs/a.yaml", json.dumps(body | fields))
    apply(stage)
    apply(stage)
    assert asked(stage)[-1] == ["r1!fail-500"]
    assert [row["custom_id"] for row in results(stage)] == [row["custom_id"] for row in rows]


def test_no_file_of_a_part_is_left_behind_but_those_of_the_last_apply(stage: Stage) -> None:
    mixed(stage)
    for _ in range(4):
        apply(stage)
    left = [path for path in (stage.root / ".reconciler").rglob("*.jsonl") if "parts" in path.parts]
    assert len(left) <= 1
    assert all(re.fullmatch(r"[0-9a-f]{64}", Path(path).stem) for path in left)


def parts_of_half_each(stage: Stage, count: int) -> list[dict[str, Any]]:
    """Submit 16 requests, and what is left again: each job answers half. Return the jobs, the oldest first."""
    stage.spec("a", requests=16, model=STUCK, timeout_hours=24, retry={"max_attempts": 6})
    for _ in range(count):
        apply(stage, after=TIMEOUT)
    stage.run("outputs", "pull")
    return sorted(stage.jobs(), key=lambda job: job["created_at"])


@pytest.mark.parametrize("pulled", [True, False])
@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize("gone", [0, 1])
def test_what_a_deleted_job_has_answered_is_not_submitted_again(
    stage: Stage, gone: int, *, pulled: bool, ledger: bool
) -> None:
    jobs = parts_of_half_each(stage, 3)
    left = set(asked(stage)[2]) - answered(stage)
    with stage.console() as client:
        client.delete(f"/v1/batch/jobs/{jobs[gone]['id']}").raise_for_status()
    if not ledger:
        stage.forget()
    if not pulled:
        for file in (stage.root / "outputs/a/jobs" / jobs[gone]["id"]).iterdir():
            file.unlink()
    held = apply(stage)
    if pulled:
        assert set(asked(stage)[-1]) == left
    else:
        assert len(asked(stage)) == 2
        assert "record" in held.out
        assert "is gone" in held.out


def test_what_failed_in_a_job_that_a_person_cancelled_is_not_retried(stage: Stage) -> None:
    mixed(stage, 400)
    stage.run("apply", "--yes")
    while (job := stage.jobs()[0])["failed_requests"] < 3:
        stage.advance(0.3)
    stage.cancel_in_console(job["id"])
    stage.advance(60)
    assert "cancelled by hand" in apply(stage).out
    assert len(asked(stage)) == 1


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("back", ["suspend", "remove", "edit"])
def test_what_a_job_answered_before_we_cancelled_it_is_not_submitted_again(
    stage: Stage, back: str, attempts: int
) -> None:
    fields: dict[str, Any] = {"model": STUCK, "timeout_hours": 24, "retry": {"max_attempts": attempts}}
    spec = stage.spec("a", requests=16, **fields)
    stage.spec("b")
    apply(stage, after=600)
    if back == "remove":
        spec.unlink()
    else:
        edited: dict[str, Any] = {"model": "mistral-large-latest"} if back == "edit" else {"suspend": True}
        stage.spec("a", requests=16, **{**fields, **edited})
    apply(stage)
    stage.spec("a", requests=16, **fields)
    stage.faults.append(Fault("GET", "/v1/files/.*/content", 500, times=1000))
    before = len(stage.jobs())
    assert "results needed" in stage.run("plan", "--fail-on-attention").out or attempts > 1
    apply(stage)
    assert len(stage.jobs()) == before, "while the answers cannot be read, nothing is submitted"
    stage.faults.clear()
    held = apply(stage)
    if back != "edit":  # there a tag shows the replacement
        assert "only by the ledger: cancelled by ada" in held.out
    stage.run("plan", "-o", "plan.json")
    stage.run("apply", "plan.json")
    whole, *_, last = (part for part in asked(stage) if len(part) > 3)
    assert last == whole[8:]


@pytest.mark.parametrize("person", [True, False])
def test_a_duplicate_of_a_part_changes_nothing_about_what_is_left(stage: Stage, *, person: bool) -> None:
    parts_of_half_each(stage, 1)
    with stage.console() as client:
        before = client.get("/v1/batch/jobs?page=0&page_size=100&order_by=created").content
    apply(stage, after=5)
    stage.forget()
    stage.faults.append(Fault("GET", "/v1/batch/jobs", 200, body=before, times=9))
    stage.run("apply", "--yes")
    stage.faults.clear()
    assert "another job does the same work" in apply(stage).out
    if person:
        stage.cancel_in_console(sorted(stage.jobs(), key=lambda job: job["created_at"])[1]["id"])
    stage.advance(TIMEOUT)
    went_on = apply(stage)
    if person:
        assert "cancelled by hand" in went_on.out
    else:
        assert "submits 4 of 16 requests, reuses 12" in went_on.out
        assert [len(part) for part in asked(stage)] == [16, 8, 8, 4]


def test_a_part_goes_on_after_its_file_was_reordered(stage: Stage) -> None:
    parts_of_half_each(stage, 1)
    apply(stage, after=60)
    file = stage.root / "specs/data/a.jsonl"
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    stage.advance(TIMEOUT)
    assert "submits 4 of 16 requests, reuses 12" in apply(stage).out
    assert [len(part) for part in asked(stage)] == [16, 8, 4]


def test_an_edit_after_a_part_is_compared_with_the_whole_work(stage: Stage) -> None:
    mixed(stage)
    apply(stage)
    apply(stage)
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace("a 3", "b 3"))
    assert "requests 10 -> 10: 0 added, 0 removed, 1 changed" in stage.run("plan").out
    change = json.loads(stage.run("plan", "--format", "json").out)["plan"]["decisions"][0]["actions"][0]
    assert [it["before"] for it in change["changes"]] == ["10 requests"]


def test_a_reordered_file_is_the_work_of_its_parts_also_if_the_whole_job_is_deleted(stage: Stage) -> None:
    jobs = parts_of_half_each(stage, 2)
    with stage.console() as client:
        client.delete(f"/v1/batch/jobs/{jobs[0]['id']}").raise_for_status()
    stage.forget()
    file = stage.root / "specs/data/a.jsonl"
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    assert "submits 4 of 16 requests, reuses 12" in apply(stage).out


DAMAGED = ["asked.idx", "answers.idx", "output.jsonl"]


@pytest.mark.parametrize("damage", ["empty", "missing", "another job's", "of fewer requests"])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_of_results_is_made_again(stage: Stage, name: str, damage: str) -> None:
    jobs = parts_of_half_each(stage, 2)
    first, second = (stage.root / "outputs/a/jobs" / job["id"] / name for job in jobs)
    match damage:
        case "empty":
            first.write_bytes(b"")
        case "missing":
            first.unlink()
        case "another job's":
            first.write_bytes(second.read_bytes())
        case _ if name == "output.jsonl":
            first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
        case _:
            head, columns = read_index(first, name.partition(".")[0]) or ({}, {})
            facts = {key: value for key, value in head.items() if key not in ("v", "order", "columns")}
            write_index(first, facts, {key: column[: len(column) // 2] for key, column in columns.items()})
    assert "submits 4 of 16 requests, reuses 12" in apply(stage).out
    assert len(asked(stage)) == 3
    assert sum(row["ok"] for row in results(stage)) >= 12


@pytest.mark.parametrize("name", ["asked.idx", "answers.idx"])
def test_an_index_that_lies_is_found_and_its_job_is_read_again(stage: Stage, name: str) -> None:
    """An index of the right form says that other requests were asked, or that none was answered."""
    jobs = parts_of_half_each(stage, 2)
    path = stage.root / "outputs/a/jobs" / jobs[0]["id"] / name
    head, columns = read_index(path, name.partition(".")[0]) or ({}, {})
    facts = {key: value for key, value in head.items() if key not in ("v", "order", "columns")}
    lying = "keys" if name == "asked.idx" else "file"
    write_index(path, facts, columns | {lying: bytes(len(columns[lying]))})
    assert "submits 4 of 16 requests, reuses 12" in apply(stage).out
    assert len(asked(stage)) == 3


def test_while_damaged_results_cannot_be_read_again_nothing_is_submitted(stage: Stage) -> None:
    jobs = parts_of_half_each(stage, 2)
    folder = stage.root / "outputs/a/jobs" / jobs[0]["id"]
    for file in ("answers.idx", "output.jsonl"):
        (folder / file).write_bytes(b"")
    stage.faults.append(Fault("GET", "/v1/files/.*", 500, times=1000))
    apply(stage)
    assert len(asked(stage)) == 2
    stage.faults.clear()
    assert "submits 4 of 16 requests, reuses 12" in apply(stage).out


def test_a_part_goes_on_under_a_new_name_of_its_work(stage: Stage) -> None:
    mixed(stage)
    apply(stage)
    old = stage.root / "specs/a.yaml"
    stage.write("specs/b.yaml", old.read_text().replace('"a"', '"b"', 1))
    old.unlink()
    renamed = apply(stage)
    assert "submits 2 of 10 requests, reuses 7" in renamed.out
    assert "1 renamed" in renamed.out
    assert "0 unchanged" not in renamed.out


def test_parts_of_earlier_and_larger_work_are_reused_without_a_hold(stage: Stage) -> None:
    parts_of_half_each(stage, 3)
    spec, file = stage.root / "specs/a.yaml", stage.root / "specs/data/a.jsonl"
    spec.write_text(spec.read_text() + "reuse: true\n")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:4], lines[0].replace('"r0"', '"new"')]))
    apply(stage)
    assert asked(stage)[-1] == ["new"]


# A canary.


def canary(stage: Stage, *, bad: int = 0, count: int = 12, requests: int = 4, **fields: Any) -> None:  # noqa: ANN401 - any fields of a spec
    """Write a spec with a canary; the first `bad` requests fail with a status that is not retried."""
    stage.spec("a", requests=count, **{"canary": {"requests": requests}} | fields)
    file = stage.root / "specs/data/a.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows[:bad]:
        row["custom_id"] += "!fail-400"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_status_and_open_name_the_last_part_of_a_work(stage: Stage) -> None:
    canary(stage)
    last = ""
    for jobs in (1, 2):
        apply(stage)
        stage.run("outputs", "pull")
        last = max(stage.jobs(), key=lambda it: (it["created_at"], it["id"]))["id"]
        assert len(stage.jobs()) == jobs
        assert json.loads(stage.run("open", "a", "--format", "json").out)["job_id"] == last
    row = json.loads(stage.run("status", "--format", "json").out)["rows"][0]
    assert (row["state"], row["job"]["id"]) == ("SUCCESS", last)


def test_a_canary_is_submitted_first_and_then_the_rest(stage: Stage, golden: Callable[..., None]) -> None:
    canary(stage)
    shown = [stage.run("plan"), apply(stage), apply(stage), apply(stage)]
    golden(*shown)
    assert [len(part) for part in asked(stage)] == [4, 8]
    assert [row["custom_id"] for row in results(stage)] == [f"r{at}" for at in range(12)]
    assert all(row["ok"] for row in results(stage))
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_a_canary_that_a_person_cancels_holds_everything_until_retry(stage: Stage) -> None:
    canary(stage)
    stage.run("apply", "--yes")
    stage.cancel_in_console(stage.jobs()[0]["id"])
    stage.advance(60)
    held = apply(stage)
    assert held.writes == []
    assert "cancelled by hand" in held.out
    assert stage.run("retry", "a").code == 0
    apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 4]


def test_a_canary_that_a_person_cancels_after_its_last_answer_holds_the_rest_until_retry(
    stage: Stage,
) -> None:
    canary(stage)
    stage.run("apply", "--yes")
    stage.advance(60)
    cancelled = api(job={"status": "CANCELLED"})
    for _ in range(2):
        held = stage.run("apply", "--yes", env=cancelled)
        assert not any(sent.path == "/v1/batch/jobs" for sent in held.writes)
        assert "cancelled by hand" in held.out
    assert stage.run("retry", "a").code == 0
    stage.run("apply", "--yes", env=cancelled)
    assert [len(part) for part in asked(stage)] == [4, 8]


def test_a_canary_that_fails_holds_the_rest_and_says_why(stage: Stage) -> None:
    canary(stage, bad=1)
    for _ in range(3):
        apply(stage)
    assert [len(part) for part in asked(stage)] == [4]
    held = stage.run("plan", "--fail-on-attention")
    assert held.code == 6
    assert "canary: 1 of 4 requests have no answer (checks.failed: at most 0); 8 not submitted" in held.out
    stage.write("specs/a.yaml", (stage.root / "specs/a.yaml").read_text() + "checks: {failed: 0.25}\n")
    apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 8], "a person may allow it"


def test_a_waiting_apply_goes_on_after_its_canary(stage: Stage) -> None:
    canary(stage)
    assert stage.run("apply", "--yes", "--wait").code == 0
    assert [len(part) for part in asked(stage)] == [4, 8]


def test_a_canary_of_more_requests_than_there_are_is_everything(stage: Stage) -> None:
    canary(stage, count=3, requests=20)
    apply(stage)
    assert [len(part) for part in asked(stage)] == [3]
    assert "succeeded" in stage.run("status").out or stage.run("plan", "--detailed-exitcode").code == 0


def test_a_canary_is_no_part_of_the_work(stage: Stage) -> None:
    stage.spec("a", requests=12)
    apply(stage)
    canary(stage)
    stage.spec("a", requests=12, canary={"requests": 4})
    assert stage.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("kill", [1, 2, 3, 4])
def test_a_canary_that_is_killed_submits_no_request_twice(stage: Stage, kill: int) -> None:
    canary(stage)
    stage.faults.append(Fault("POST", ".*", "reset", "after", skip=kill - 1))
    for _ in range(5):
        apply(stage, after=200)
    counts = Counter(custom_id for part in asked(stage) for custom_id in part)
    assert set(counts.values()) == {1}
    assert len(counts) == 12


def test_a_canary_whose_input_is_not_in_this_clone_submits_nothing(stage: Stage) -> None:
    stage.spec("a", input_files=["0f9d1b6e-0000-4000-8000-000000000001"], canary={"requests": 4})
    held = apply(stage)
    assert not [sent for sent in held.writes if sent.path == "/v1/batch/jobs"]
    assert "results needed" in held.out


# Reuse after a change.


def reusing(
    stage: Stage,
    count: int,
    *,
    edit: dict[int, str] | None = None,
    model: str = "mistral-small-latest",
    rerun: str | None = None,
) -> None:
    """Write a spec that reuses answers; `edit` has other texts for some requests."""
    stage.spec("a", requests=count, reuse=True, model=model, rerun=rerun)
    file = stage.root / "specs/data/a.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for at, text in (edit or {}).items():
        rows[at]["body"]["messages"][0]["content"] = text
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def done(stage: Stage) -> None:
    """Apply until there is nothing to do."""
    for _ in range(3):
        apply(stage, after=200)
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_an_edited_line_submits_that_line_and_the_result_is_whole(
    stage: Stage, golden: Callable[..., None]
) -> None:
    reusing(stage, 10)
    done(stage)
    before = results(stage)
    reusing(stage, 10, edit={3: "changed"})
    golden(stage.run("plan"), apply(stage))
    assert [len(part) for part in asked(stage)] == [10, 1]
    rows = results(stage)
    assert [row["custom_id"] for row in rows] == [row["custom_id"] for row in before]
    assert [at for at, (old, new) in enumerate(zip(before, rows, strict=True)) if old != new] == [3]
    assert all(row["ok"] for row in rows)
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_appended_lines_submit_themselves(stage: Stage) -> None:
    reusing(stage, 6)
    done(stage)
    reusing(stage, 9)
    done(stage)
    assert asked(stage)[1:] == [["r6", "r7", "r8"]]
    assert len(results(stage)) == 9


def test_a_removed_line_submits_nothing_and_leaves_the_result(stage: Stage) -> None:
    reusing(stage, 6)
    done(stage)
    assert len(results(stage)) == 6
    reusing(stage, 4)
    done(stage)
    assert len(asked(stage)) == 1
    assert [row["custom_id"] for row in results(stage)] == ["r0", "r1", "r2", "r3"]
    assert json.loads((stage.root / "outputs/a/summary.json").read_text())["current"] is True


def test_an_edit_and_back_submits_one_line_in_all(stage: Stage) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 5, edit={0: "other"})
    done(stage)
    reusing(stage, 5)
    done(stage)
    assert [len(part) for part in asked(stage)] == [5, 1]
    assert all(row["ok"] for row in results(stage))


@pytest.mark.parametrize(("model", "rerun"), [("mistral-large-latest", None), ("mistral-small-latest", "2")])
def test_another_model_or_rerun_reuses_nothing(stage: Stage, model: str, rerun: str | None) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 5, model=model, rerun=rerun)
    done(stage)
    assert [len(part) for part in asked(stage)] == [5, 5]


def test_without_the_results_of_the_work_before_nothing_is_submitted(stage: Stage) -> None:
    reusing(stage, 5)
    apply(stage, after=200)
    for file in (stage.root / "outputs").rglob("*.idx"):
        file.unlink()
    stage.faults.append(Fault("GET", "/v1/files/.*/content", 500, times=1000))
    reusing(stage, 6)
    held = apply(stage)
    assert not [sent for sent in held.writes if sent.path == "/v1/batch/jobs"]
    assert "results needed" in held.out
    stage.faults.clear()
    done(stage)
    assert asked(stage)[1:] == [["r5"]]


def test_a_part_of_which_it_is_not_known_what_it_was_asked_completes_nothing(stage: Stage) -> None:
    canary(stage)
    apply(stage)
    for file in (stage.root / "outputs").rglob("asked.idx"):
        file.unlink()
    shown = stage.run("plan", "--detailed-exitcode")
    assert "succeeded" not in shown.out
    assert "submits 8 of 12 requests, reuses 4" in shown.out
    apply(stage)
    assert [len(part) for part in asked(stage)] == [4, 8], "apply reads its results"


@pytest.mark.parametrize("where", ["gs://nowhere", "a-file/outputs"])
def test_while_the_place_of_results_cannot_be_read_nothing_is_submitted_that_it_may_answer(
    stage: Stage, where: str
) -> None:
    reusing(stage, 5)
    done(stage)
    reusing(stage, 6)
    stage.spec("b")
    stage.write("a-file", "no folder")
    stage.environ["RECONCILER_RESULTS"] = where
    planned, held = stage.run("plan", "--fail-on-attention"), apply(stage)
    assert planned.code == 6
    for shown in (planned, held):
        assert "results needed · the place of results cannot be read" in shown.out
    assert [len(part) for part in asked(stage)] == [5, 3], "another name goes on"
    del stage.environ["RECONCILER_RESULTS"]
    done(stage)
    assert asked(stage)[2:] == [["r5"]]


def test_an_edited_line_that_fails_leaves_the_other_answers(stage: Stage) -> None:
    reusing(stage, 6)
    done(stage)
    file = stage.root / "specs/data/a.jsonl"
    file.write_text(file.read_text().replace('"r2"', '"r2!fail-400"'))
    for _ in range(2):
        apply(stage, after=200)
    rows = results(stage)
    assert [row["custom_id"] for row in rows if not row["ok"]] == ["r2!fail-400"]
    assert len(rows) == 6


def test_a_part_whose_inputs_are_gone_does_not_replace_the_whole_results(stage: Stage) -> None:
    reusing(stage, 6)
    done(stage)
    whole = results(stage)
    reusing(stage, 6, edit={0: "other"})
    apply(stage, after=200)
    reusing(stage, 6, edit={1: "another"})
    assert results(stage) == whole, "the part of one line is not all of its work"
    assert json.loads((stage.root / "outputs/a/summary.json").read_text())["current"] is False
    done(stage)
    assert len(results(stage)) == 6


def test_a_part_that_ends_during_an_edit_is_in_the_results_after_the_edit_is_undone(stage: Stage) -> None:
    stage.spec("a", requests=3, canary={"requests": 2}, on_change="finish")
    before = (stage.root / "specs/data/a.jsonl").read_text()
    apply(stage)
    stage.run("outputs", "pull")
    apply(stage, after=0.1)
    (stage.root / "specs/data/a.jsonl").write_text(before.replace("a 1", "b 1"))
    apply(stage)
    stage.run("outputs", "pull")
    (stage.root / "specs/data/a.jsonl").write_text(before)
    assert apply(stage).writes == []
    stage.run("outputs", "pull")
    rows = [json.loads(line) for line in (stage.root / "outputs/a/results.jsonl").read_text().splitlines()]
    assert [row["custom_id"] for row in rows if row["ok"]] == ["r0", "r1", "r2"]


def test_results_that_were_joined_without_the_inputs_become_whole_with_them(stage: Stage) -> None:
    """The first pull sees other inputs, so that it has only the lines of the parts."""
    stage.spec("a", requests=4, canary={"requests": 1}, reuse=False, on_change="finish")
    before = (stage.root / "specs/data/a.jsonl").read_text()
    apply(stage)
    apply(stage)
    (stage.root / "specs/data/a.jsonl").write_text(before.replace("a 1", "b 1"))
    stage.run("outputs", "pull")
    (stage.root / "specs/data/a.jsonl").write_text("".join(reversed(before.splitlines(keepends=True))))
    stage.run("outputs", "pull")
    rows = [json.loads(line) for line in (stage.root / "outputs/a/results.jsonl").read_text().splitlines()]
    assert [row["custom_id"] for row in rows if row["ok"]] == ["r3", "r2", "r1", "r0"]


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(it, marks=pytest.mark.thorough) for it in range(4, 40))]
)
def test_whatever_changes_no_answered_request_is_submitted_again(stage: Stage, seed: int) -> None:
    """The oracle is the workspace: what each job was asked, and which of it the provider's files answer."""
    dice = random.Random(seed)
    texts = {f"r{at}{dice.choice(['', '', '', '!fail-429', '!fail-400'])}": "q" for at in range(6)}
    older = [dict(texts)]
    for step in range(6):
        body = {
            "name": "a",
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-latest",
            "input_files": ["data/a.jsonl"],
            "reuse": True,
            "retry": {"max_attempts": dice.choice([1, 2, 3])},
            **({"canary": {"requests": 2}} if dice.random() < 0.3 else {}),
        }
        rows = [
            {"custom_id": it, "body": {"messages": [{"role": "user", "content": text}]}}
            for it, text in texts.items()
        ]
        stage.write("specs/data/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        stage.write("specs/a.yaml", json.dumps(body))
        for _ in range(dice.choice([1, 2, 3])):
            known, jobs = known_answers(stage), len(asked(stage))
            apply(stage, after=dice.choice([0.1, 200, 200]))
            for part in requests_of(stage)[jobs:]:
                assert not known.intersection(part), f"step {step}"
            if dice.random() < 0.3:
                stage.run("outputs", "pull")
        change = dice.choice(["edit", "append", "remove", "back", "nothing"])
        if change == "edit":
            texts[dice.choice([*texts])] = f"edited {step}"
        elif change == "append":
            texts[f"n{step}"] = "q"
        elif change == "remove" and len(texts) > 1:
            del texts[dice.choice([*texts])]
        elif change == "back":
            texts = dict(dice.choice(older))
        older.append(dict(texts))


def requests_of(stage: Stage) -> list[list[str]]:
    """Return the lines that each job was asked, the oldest job first."""
    found = []
    with stage.console() as client:
        for job in sorted(stage.jobs(), key=lambda job: (job["created_at"], job["id"])):
            detail = client.get(f"/v1/batch/jobs/{job['id']}").json()
            texts = [client.get(f"/v1/files/{file}/content").text for file in detail["input_files"]]
            found.append("".join(texts).splitlines())
    return found


def known_answers(stage: Stage) -> set[str]:
    """Return the lines of ended jobs with an answer in the provider's files."""
    found = set()
    with stage.console() as client:
        for job, lines in zip(
            sorted(stage.jobs(), key=lambda job: (job["created_at"], job["id"])),
            requests_of(stage),
            strict=True,
        ):
            detail = client.get(f"/v1/batch/jobs/{job['id']}").json()
            if detail["output_file"] and detail["status"] not in ("QUEUED", "RUNNING"):
                text = client.get(f"/v1/files/{detail['output_file']}/content").text
                ids = {json.loads(line)["custom_id"] for line in text.splitlines()}
                found |= {line for line in lines if json.loads(line)["custom_id"] in ids}
    return found

"""One batch job through the calls: create, get, cancel, delete, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from .support import CHAT, NOBODY, START, Api, Clock, jsonl, requests


def test_a_new_job_is_what_was_asked_for_and_counts_nothing_yet(api: Api) -> None:
    created = api.create(3, metadata={"team": "search"}, timeout_hours=2).json()

    assert created == {
        "id": "00000000-0000-4000-8000-000000000001",
        "object": "batch",
        "input_files": [],
        "metadata": {"team": "search"},
        "endpoint": "/v1/chat/completions",
        "model": "mistral-small-latest",
        "agent_id": None,
        "output_file": None,
        "error_file": None,
        "errors": [],
        "outputs": None,
        "status": "QUEUED",
        "created_at": int(START),
        "started_at": None,
        "completed_at": None,
        "total_requests": 0,
        "completed_requests": 0,
        "succeeded_requests": 0,
        "failed_requests": 0,
    }
    assert api.job(created["id"]) == created


def test_a_job_goes_on_without_requests(api: Api, clock: Clock) -> None:
    job = api.created(100)

    clock.advance(2.01)
    running = api.job(job)
    clock.advance(3600)
    ended = api.job(job)

    assert (running["status"], running["completed_requests"], running["total_requests"]) == (
        "RUNNING",
        50,
        100,
    )
    assert (running["started_at"], running["completed_at"]) == (START + 1, None)
    assert running["output_file"] is None
    assert (ended["status"], ended["succeeded_requests"]) == ("SUCCESS", 100)
    assert (ended["started_at"], ended["completed_at"]) == (START + 1, START + 3)
    assert ended["output_file"] is not None


def test_every_request_has_one_line_in_one_of_the_two_files(api: Api, clock: Clock) -> None:
    ids = ["a", "b!fail", "c", "d!fail", "e!fail", None]
    job = api.created(requests=[{"custom_id": custom_id, "body": CHAT} for custom_id in ids])
    clock.advance(60)
    ended = api.job(job)

    answered, failed = api.lines(ended["output_file"]), api.lines(ended["error_file"])

    assert {line["custom_id"] for line in answered} == {"a", "c", None}
    assert {line["custom_id"] for line in failed} == {"b!fail", "d!fail", "e!fail"}
    assert all(line["response"]["status_code"] == 200 and line["error"] is None for line in answered)
    assert all(line["error"] or line["response"]["status_code"] >= 400 for line in failed)
    assert (ended["succeeded_requests"], ended["failed_requests"]) == (3, 3)


def test_results_do_not_come_in_the_order_of_the_requests(api: Api, clock: Clock) -> None:
    job = api.created(250)
    clock.advance(60)

    order = [int(line["custom_id"]) for line in api.lines(api.job(job)["output_file"])]

    assert sorted(order) == list(range(250))
    assert order != sorted(order)


def test_reading_results_twice_gives_the_same_bytes(api: Api, clock: Clock) -> None:
    job = api.created(20)
    clock.advance(60)
    output = api.job(job)["output_file"]
    first = api.content(output)
    clock.advance(60)

    assert api.content(output) == first


def test_inline_reading_gives_the_lines_of_both_files_once_the_job_has_ended(api: Api, clock: Clock) -> None:
    job = api.created(requests=[{"custom_id": "a", "body": {}}, {"custom_id": "b!fail", "body": {}}])

    assert api.job(job, inline="true")["outputs"] is None
    clock.advance(60)
    assert api.job(job)["outputs"] is None
    assert [line["custom_id"] for line in api.job(job, inline="true")["outputs"]] == ["a", "b!fail"]


def test_an_uploaded_file_is_worked_through(api: Api, clock: Clock) -> None:
    first = api.uploaded(jsonl(*requests(2)))
    body = json.dumps({**CHAT, "model": "mistral-small-2603"})
    second = api.uploaded(f'{{"custom_id":"last","body":{body}}}\r\n\r\n'.encode())
    job = api.created(input_files=[first, second], model=None)
    clock.advance(60)
    ended = api.job(job)

    assert ended["input_files"] == [first, second]
    assert ended["total_requests"] == 3
    models = {
        line["custom_id"]: line["response"]["body"]["model"] for line in api.lines(ended["output_file"])
    }
    assert models == {"0": "sandbox", "1": "sandbox", "last": "mistral-small-2603"}


def test_a_job_outlives_the_file_it_was_made_from(api: Api, clock: Clock) -> None:
    file = api.uploaded(jsonl(*requests(5)))
    job = api.created(input_files=[file])
    api.client.delete(f"/v1/files/{file}")
    clock.advance(60)

    assert len(api.lines(api.job(job)["output_file"])) == 5


def test_malformed_lines_fail_the_job_and_are_named(api: Api, clock: Clock) -> None:
    lines = [
        b'{"custom_id":"0","body":{}}',
        b"[1]",
        b'{"body":"text"}',
        b"\xff",
        b'{"body":{},"custom_id":1}',
        b"[",
    ]
    job = api.created(input_files=[api.uploaded(b"\n".join(lines), "questions.jsonl")])

    assert api.job(job)["errors"] == []
    clock.advance(1)
    failed = api.job(job)

    assert (failed["status"], failed["total_requests"], failed["completed_requests"]) == ("FAILED", 0, 0)
    assert (failed["output_file"], failed["error_file"]) == (None, None)
    messages = [error["message"] for error in failed["errors"]]
    assert [message.split(":")[0] for message in messages] == [
        f"questions.jsonl, line {n}" for n in range(2, 7)
    ]
    assert "Expected `object`, got `str` - at `$.body`" in messages[1]


def test_after_ten_malformed_lines_the_rest_is_only_counted(api: Api, clock: Clock) -> None:
    job = api.created(input_files=[api.uploaded(b"no\n" * 2_000)])
    clock.advance(1)

    errors = api.job(job)["errors"]

    assert len(errors) == 11
    assert errors[-1] == {"message": "input.jsonl: more malformed lines", "count": 1_990}


def test_lines_nested_beyond_reason_are_malformed(api: Api, clock: Clock) -> None:
    job = api.created(input_files=[api.uploaded(b'{"body":{"a":' + b"[" * 100_000)])
    clock.advance(1)

    assert api.job(job)["status"] == "FAILED"


def test_an_empty_input_fails_the_job(api: Api, clock: Clock) -> None:
    job = api.created(input_files=[api.uploaded(b"\n\n")])
    clock.advance(1)

    assert api.job(job)["errors"] == [{"message": "the input has no requests", "count": 1}]


@pytest.mark.parametrize("where", ["job", "line"])
def test_an_unknown_model_fails_the_job_without_answers(api: Api, clock: Clock, where: str) -> None:
    if where == "job":
        job = api.created(3, model="sandbox-unknown-large")
    else:
        job = api.created(model=None, requests=requests(3, model="sandbox-unknown-large"))
    clock.advance(60)
    failed = api.job(job)

    assert failed["status"] == "FAILED"
    assert failed["errors"] == [{"message": "unknown model: sandbox-unknown-large", "count": 1}]
    assert failed["completed_requests"] == 0
    assert api.files() == []


def test_a_stuck_model_times_out_with_partial_answers(api: Api, clock: Clock) -> None:
    job = api.created(10, model="sandbox-stuck", timeout_hours=1)

    clock.advance(3599)
    assert api.job(job)["status"] == "RUNNING"
    clock.advance(1)
    ended = api.job(job)

    assert (ended["status"], ended["completed_requests"], ended["total_requests"]) == (
        "TIMEOUT_EXCEEDED",
        5,
        10,
    )
    assert len(api.lines(ended["output_file"])) == 5


def test_a_cancelled_job_keeps_what_it_had_answered(api: Api, clock: Clock) -> None:
    job = api.created(100)
    clock.advance(2.01)
    requested = api.cancel(job)
    clock.advance(0.5)
    cancelled = api.job(job)

    assert requested["status"] == "CANCELLATION_REQUESTED"
    assert (requested["output_file"], requested["completed_at"]) == (None, None)
    assert (cancelled["status"], cancelled["completed_requests"]) == ("CANCELLED", 50)
    assert len(api.lines(cancelled["output_file"])) == 50
    assert api.files() == [cancelled["output_file"]]


def test_a_queued_job_is_cancelled_without_results(api: Api, clock: Clock) -> None:
    job = api.created(100)
    api.cancel(job)
    clock.advance(3600)
    cancelled = api.job(job)

    assert (cancelled["status"], cancelled["output_file"], api.files()) == ("CANCELLED", None, [])


def test_cancelling_again_changes_nothing(api: Api, clock: Clock) -> None:
    job = api.created(100)
    clock.advance(2)
    api.cancel(job)
    clock.advance(0.4)
    again = api.cancel(job)
    clock.advance(0.1)

    assert again["status"] == "CANCELLATION_REQUESTED"
    assert api.job(job)["status"] == "CANCELLED"


def test_cancelling_a_job_that_has_ended_shows_it_as_it_is(api: Api, clock: Clock) -> None:
    job = api.created(10)
    clock.advance(60)
    ended = api.job(job)

    assert api.cancel(job) == ended
    assert api.job(job) == ended


def test_a_deleted_job_is_gone_with_its_results(api: Api, clock: Clock) -> None:
    job, other = api.created(), api.created()
    clock.advance(60)
    output = api.job(job)["output_file"]

    deleted = api.client.delete(f"/v1/batch/jobs/{job}").json()

    assert deleted == {"id": job, "object": "batch", "deleted": True}
    assert api.listed() == [other]
    for method, path in (
        ("GET", f"/v1/batch/jobs/{job}"),
        ("DELETE", f"/v1/batch/jobs/{job}"),
        ("POST", f"/v1/batch/jobs/{job}/cancel"),
        ("GET", f"/v1/files/{output}/content"),
    ):
        assert api.client.request(method, path).status_code == 404


def test_a_deleted_result_file_stays_deleted(api: Api, clock: Clock) -> None:
    job = api.created(3)
    clock.advance(60)
    output = api.job(job)["output_file"]

    assert api.client.delete(f"/v1/files/{output}").json()["deleted"] is True
    assert api.client.get(f"/v1/files/{output}").status_code == 404
    assert api.job(job)["status"] == "SUCCESS"


def test_a_result_file_is_described_as_the_bytes_it_has(api: Api, clock: Clock) -> None:
    job = api.created(12)
    clock.advance(60)
    output = api.job(job)["output_file"]

    file = api.client.get(f"/v1/files/{output}").json()

    assert file["bytes"] == len(api.content(output))
    assert (file["num_lines"], file["sample_type"], file["source"]) == (12, "batch_result", "mistral")
    assert (file["purpose"], file["created_at"]) == ("batch", int(START + 1.24))
    assert api.client.get("/v1/files").json()["data"] == [
        {key: value for key, value in file.items() if key != "deleted"}
    ]


def test_result_files_do_not_exist_before_the_job_has_ended(api: Api, clock: Clock) -> None:
    job = api.created(100)
    clock.advance(60)
    output = api.job(job)["output_file"]
    clock.advance(-58)

    assert api.client.get(f"/v1/files/{output}").status_code == 404
    assert api.files() == []


def test_jobs_at_infinite_speed_have_ended_when_they_are_created(
    client_for: Callable[..., httpx.Client],
) -> None:
    api = Api(client_for(speed=float("inf")))
    created = api.create(10_000).json()

    assert (created["status"], created["succeeded_requests"]) == ("SUCCESS", 10_000)
    assert len(api.lines(created["output_file"])) == 10_000


def test_a_job_keeps_the_speed_it_was_created_with(
    api: Api, clock: Clock, client_for: Callable[..., httpx.Client]
) -> None:
    job = api.created(100)
    clock.advance(1.5)

    assert Api(client_for(speed=1_000)).job(job)["status"] == "RUNNING"


def test_another_workspace_sees_and_touches_nothing(
    client_for: Callable[..., httpx.Client], clock: Clock
) -> None:
    mine, theirs = Api(client_for("mine")), Api(client_for("theirs"))
    file = mine.uploaded(jsonl(*requests(3)))
    job = mine.created(input_files=[file])
    clock.advance(60)
    output = mine.job(job)["output_file"]

    assert theirs.listed() == theirs.files() == []
    for method, path in (
        ("GET", f"/v1/batch/jobs/{job}"),
        ("POST", f"/v1/batch/jobs/{job}/cancel"),
        ("DELETE", f"/v1/batch/jobs/{job}"),
        ("GET", f"/v1/files/{file}"),
        ("GET", f"/v1/files/{output}/content"),
        ("GET", f"/v1/files/{file}/url"),
        ("DELETE", f"/v1/files/{file}"),
    ):
        assert theirs.client.request(method, path).status_code == 404
    assert theirs.create(input_files=[file]).status_code == 400
    assert (mine.listed(), sorted(mine.files())) == ([job], sorted([file, output]))


def test_an_unknown_job_is_reported_in_the_envelope_of_the_api(api: Api) -> None:
    response = api.client.get(f"/v1/batch/jobs/{NOBODY}")

    assert response.status_code == 404
    assert response.json() == {
        "object": "error",
        "message": f"Batch job {NOBODY} not found.",
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }

"""Requests that fail: bodies with plain mistakes, and requests that ask to fail. Answers that are to be JSON."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.catalogue.mistakes import mistakes
from reconciler.sandbox import results

from .support import CHAT, Api, Clock, jsonl

TICKETS = Path(__file__).parents[1] / "cli/tickets"


def ended(api: Api, clock: Clock, lines: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Run a job whose input is a file, and one whose requests are inline: both end alike."""
    jobs = [
        api.created(input_files=[api.uploaded(jsonl(*lines))], **fields),
        api.created(requests=lines, **fields),
    ]
    clock.advance(600)
    one, other = (api.job(job) for job in jobs)
    for name in ("status", "total_requests", "succeeded_requests", "failed_requests"):
        assert one[name] == other[name]
    return one


def by_id(api: Api, file: str | None) -> dict[str, dict[str, Any]]:
    return {line["custom_id"]: line for line in api.lines(file)} if file else {}


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"messages": "hi"}, ["messages"], "body.messages is text, not a list"),
        ({"messages": []}, ["messages"], "body.messages is empty"),
        (
            {"messages": [{"role": "usr", "content": "hi"}]},
            ["messages", 0, "role"],
            "body.messages[].role must be assistant, system, tool or user",
        ),
        ({"max_tokens": "many"}, ["max_tokens"], "body.max_tokens is text, not a whole number"),
        ({"temperature": 300}, ["temperature"], "body.temperature must be at most 1.5"),
        ({"stream": True}, ["stream"], "body.stream must be false in a batch"),
    ],
)
def test_a_body_with_a_mistake_fails_alone(
    api: Api, clock: Clock, fields: dict[str, Any], place: list[str | int], message: str
) -> None:
    lines: list[dict[str, Any]] = [
        {"custom_id": "good", "body": CHAT},
        {"custom_id": "bad", "body": {**CHAT, **fields}},
        {"custom_id": "good too", "body": CHAT},
    ]
    job = ended(api, clock, lines)
    assert (job["status"], job["succeeded_requests"], job["failed_requests"]) == ("SUCCESS", 2, 1)
    assert set(by_id(api, job["output_file"])) == {"good", "good too"}
    (line,) = api.lines(job["error_file"])
    assert (line["custom_id"], line["error"], line["response"]["status_code"]) == ("bad", None, 422)
    (detail,) = line["response"]["body"]["message"]["detail"]
    assert (detail["loc"], detail["msg"]) == (["body", *place], message)


def test_every_request_without_a_required_field_fails(api: Api, clock: Clock) -> None:
    job = ended(
        api, clock, [{"custom_id": str(at), "body": {}} for at in range(3)], endpoint="/v1/ocr", model=None
    )
    assert (job["failed_requests"], job["output_file"]) == (3, None)


def test_a_file_is_judged_by_the_endpoint_of_each_job(api: Api, clock: Clock) -> None:
    file = api.uploaded(jsonl(*({"custom_id": str(at), "body": {**CHAT, "input": ["a"]}} for at in range(3))))
    chat = api.created(input_files=[file])
    embeddings = api.created(input_files=[file], endpoint="/v1/embeddings", model="mistral-embed")
    moderations = api.created(input_files=[file], endpoint="/v1/fim/completions", model="codestral-2508")
    clock.advance(60)
    assert [api.job(job)["failed_requests"] for job in (chat, embeddings, moderations)] == [0, 0, 3]


def test_mistakes_in_several_files_are_found_at_their_positions(api: Api, clock: Clock) -> None:
    bad = {"custom_id": "bad", "body": {"messages": 5}}
    parts = [
        [{"custom_id": f"a{at}", "body": CHAT} for at in range(3)],
        [bad],
        [{"custom_id": "c!fail", "body": CHAT}],
    ]
    job = api.created(input_files=[api.uploaded(jsonl(*part)) for part in parts])
    clock.advance(60)
    failed = by_id(api, api.job(job)["error_file"])
    assert failed["bad"]["response"]["status_code"] == 422
    assert set(failed) == {"bad", "c!fail"}


def test_requests_that_ask_to_fail_do_so_in_each_form_in_turn(api: Api, clock: Clock) -> None:
    job = ended(api, clock, [{"custom_id": f"{at}!fail", "body": CHAT} for at in range(6)])
    lines = by_id(api, job["error_file"])
    shown = [(lines[f"{at}!fail"]["response"], lines[f"{at}!fail"]["error"]) for at in range(6)]
    text = results.ASKED_TO_FAIL
    assert [response and response["status_code"] for response, _ in shown] == [400, None, 500, None, 429, 400]
    assert [error if isinstance(error, str) else bool(error) for _, error in shown] == [
        False,
        True,
        False,
        text,
        text,
        False,
    ]
    assert shown[4][0] == {"status_code": 429, "body": None}
    assert job["failed_requests"] == 6


@pytest.mark.parametrize("form", results.FORMS)
def test_a_request_chooses_the_form_of_its_failure(api: Api, clock: Clock, form: str) -> None:
    job = ended(api, clock, [{"custom_id": f"a!fail-{form}", "body": CHAT}])
    (line,) = api.lines(job["error_file"])
    assert {name: line[name] for name in ("response", "error")} == results.FORMS[form]
    assert ("custom_id" in line) == (form != "noid")


def test_only_a_request_that_asks_for_it_loses_its_id(api: Api, clock: Clock) -> None:
    assert "noid" not in results.IN_TURN
    job = ended(
        api, clock, [{"custom_id": "a!fail-other", "body": CHAT}, {"custom_id": "!failed", "body": CHAT}]
    )
    assert set(by_id(api, job["output_file"])) == {"!failed"}
    assert set(by_id(api, job["error_file"])) == {"a!fail-other"}


@pytest.mark.parametrize("seed", range(8))
def test_counts_and_files_agree_on_every_request(api: Api, clock: Clock, seed: int) -> None:
    dice = random.Random(seed)
    pool: list[dict[str, Any]] = [
        CHAT,
        {**CHAT, "n": 0},
        {"messages": []},
        {**CHAT, "input": "a"},
        {"input": [1]},
    ]
    endpoint, model = dice.choice(
        [("/v1/chat/completions", "mistral-small-2603"), ("/v1/embeddings", "mistral-embed")]
    )
    lines: list[dict[str, Any]] = [
        {"custom_id": f"{at}{dice.choice(['', '', '!fail', '!fail-text'])}", "body": dice.choice(pool)}
        for at in range(dice.randrange(1, 60))
    ]
    cut = dice.randrange(len(lines) + 1)
    files = [api.uploaded(jsonl(*part)) for part in (lines[:cut], lines[cut:]) if part]
    job = api.created(input_files=files, endpoint=endpoint, model=model)
    clock.advance(600)
    ended = api.job(job, inline="true")
    answered, failed = by_id(api, ended["output_file"]), by_id(api, ended["error_file"])
    assert (len(answered), len(failed)) == (ended["succeeded_requests"], ended["failed_requests"])
    assert answered.keys() | failed.keys() == {line["custom_id"] for line in lines}
    assert len(ended["outputs"]) == len(lines)
    for line in lines:
        asks = "!fail" in line["custom_id"]
        mistaken = any(mistakes(endpoint, line["body"]))
        assert (line["custom_id"] in failed) == (asks or mistaken)
        if mistaken and not asks:
            assert failed[line["custom_id"]]["response"]["status_code"] == 422


def asked(schema: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}


SCHEMA = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("endpoint", "body", "model"),
    [
        ("/v1/chat/completions", {**CHAT, "response_format": asked(SCHEMA)}, "mistral-small-2603"),
        (
            "/v1/conversations",
            {"inputs": "a", "completion_args": {"response_format": asked(SCHEMA)}},
            "mistral-small-2603",
        ),
        (
            "/v1/ocr",
            {"document": {"file_id": "a"}, "document_annotation_format": asked(SCHEMA)},
            "mistral-ocr-4-1",
        ),
    ],
)
def test_an_answer_is_an_instance_of_the_schema_that_is_asked_for(
    api: Api, clock: Clock, endpoint: str, body: dict[str, Any], model: str
) -> None:
    job = ended(api, clock, [{"custom_id": "a", "body": body}], endpoint=endpoint, model=model)
    (line,) = api.lines(job["output_file"])
    answer = line["response"]["body"]
    texts = {
        "/v1/chat/completions": lambda: answer["choices"][0]["message"]["content"],
        "/v1/conversations": lambda: answer["outputs"][0]["content"],
        "/v1/ocr": lambda: answer["document_annotation"],
    }
    assert json.loads(texts[endpoint]()) == {"a": "x"}


@pytest.mark.parametrize(
    ("wanted", "content"),
    [
        ({"type": "json_object"}, results.JSON_TEXT),
        ({"type": "text"}, results.TEXT),
        (None, results.TEXT),
    ],
)
def test_other_formats_are_followed_too(api: Api, clock: Clock, wanted: object, content: str) -> None:
    job = ended(api, clock, [{"custom_id": "a", "body": {**CHAT, "response_format": wanted}}])
    (line,) = api.lines(job["output_file"])
    assert line["response"]["body"]["choices"][0]["message"]["content"] == content


def test_the_example_gives_tickets_that_its_own_schema_accepts(api: Api, clock: Clock) -> None:
    data = (TICKETS / "data/tickets.jsonl").read_bytes()
    job = api.created(input_files=[api.uploaded(data)], model="mistral-small-2603")
    clock.advance(60)
    bodies = {row["custom_id"]: row["body"] for row in map(json.loads, data.splitlines())}
    assert not any([*mistakes("/v1/chat/completions", body)] for body in bodies.values())
    lines = by_id(api, api.job(job)["output_file"])
    assert set(lines) == set(bodies)
    for name, line in lines.items():
        ticket = json.loads(line["response"]["body"]["choices"][0]["message"]["content"])
        Draft202012Validator(bodies[name]["response_format"]["json_schema"]["schema"]).validate(ticket)
        assert ticket.keys() == {"queue", "urgent"}


def test_a_large_create_is_refused_by_the_gateway_with_a_web_page(api: Api) -> None:
    big = {"messages": [{"role": "user", "content": "x" * 100_000}]}
    response = api.client.post(
        "/v1/batch/jobs",
        json={
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-2603",
            "requests": [{"custom_id": str(at), "body": big} for at in range(10)],
        },
    )
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")
    assert "<h1>400 Bad Request</h1>" in response.text
    assert api.listed() == []
    assert api.create(requests=[{"custom_id": str(at), "body": big} for at in range(9)]).status_code == 200


@pytest.mark.parametrize(("given", "expires"), [("null", False), ("24", True)])
def test_an_expiry_of_null_is_none(api: Api, given: str, *, expires: bool) -> None:
    assert (api.upload(b"{}", expiry=given).json()["expires_at"] is not None) == expires

"""The create calls that the API refuses, and its answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.sandbox import jobs
from reconciler.sandbox.http import ErrorResponse
from reconciler.sandbox.results import ENDPOINTS

from .support import NOBODY, SCHEMAS, Api, Clock, jsonl, problem, requests, validator

GOOD = {"endpoint": "/v1/embeddings", "requests": [{"body": {}}]}


def post(api: Api, body: object) -> httpx.Response:
    return api.client.post("/v1/batch/jobs", json=body)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"endpoint": "/v1/songs"}, []),
        ({"endpoint": None}, ["endpoint"]),
        ({"model": 3}, ["model"]),
        ({"agent_id": []}, ["agent_id"]),
        ({"metadata": "team=search"}, ["metadata"]),
        ({"metadata": {"": "x"}}, ["metadata"]),
        ({"metadata": {"k" * 33: "x"}}, ["metadata"]),
        ({"metadata": {"team": ""}}, ["metadata"]),
        ({"metadata": {"team": "x" * 513}}, ["metadata"]),
        ({"metadata": {"rerun": 2}}, ["metadata"]),
        ({"timeout_hours": 0}, ["timeout_hours"]),
        ({"timeout_hours": 169}, ["timeout_hours"]),
        ({"timeout_hours": "24"}, ["timeout_hours"]),
        ({"timeout_hours": True}, ["timeout_hours"]),
        ({"timeout_hours": 1.5}, ["timeout_hours"]),
        ({"requests": {}}, ["requests"]),
        ({"requests": ["text"]}, ["requests", 0]),
        ({"requests": [{"custom_id": "a"}]}, ["requests", 0]),
        ({"requests": [{"body": "text"}]}, ["requests", 0, "body"]),
        ({"requests": [{"body": {}, "custom_id": 1}]}, ["requests", 0, "custom_id"]),
        ({"requests": [{"body": {}}] * 10_001}, ["requests"]),
        ({"requests": None, "input_files": ["questions.jsonl"]}, ["input_files", 0]),
        ({"requests": None, "input_files": [7]}, ["input_files", 0]),
    ],
)
def test_a_wrong_field_is_named(api: Api, fields: dict[str, Any], place: list[str | int]) -> None:
    assert problem(post(api, GOOD | fields))[0][: len(place) + 1] == ["body", *place]
    assert api.listed() == []


def test_every_limit_may_be_reached(api: Api) -> None:
    fields = {"metadata": {"k" * 32: "v" * 512}, "timeout_hours": 168, "requests": [{"body": {}}] * 10_000}

    assert post(api, GOOD | fields).status_code == 200


def test_an_endpoint_is_required(api: Api) -> None:
    assert "`endpoint`" in problem(post(api, {"requests": [{"body": {}}]}))[1]


@pytest.mark.parametrize(
    "fields", [{}, {"requests": []}, {"input_files": [NOBODY], "requests": [{"body": {}}]}]
)
def test_either_files_or_requests_are_wanted(api: Api, fields: dict[str, Any]) -> None:
    assert "either" in problem(post(api, {"endpoint": "/v1/embeddings", **fields}))[1]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"endpoint": NaN}'])
def test_a_body_that_is_no_json_is_refused(api: Api, raw: bytes) -> None:
    assert problem(api.client.post("/v1/batch/jobs", content=raw))[0] == ["body"]


def test_a_body_that_is_no_object_is_refused(api: Api) -> None:
    assert problem(post(api, []))[0] == ["body"]


def test_an_unknown_input_file_is_refused(api: Api) -> None:
    response = api.create(input_files=[NOBODY])

    assert response.status_code == 400
    assert (response.json()["param"], response.json()["code"]) == ("input_files", "file_not_found")


@pytest.mark.parametrize("purpose", ["fine-tune", "ocr"])
def test_a_file_for_another_purpose_is_refused(api: Api, purpose: str) -> None:
    response = api.create(input_files=[api.uploaded(jsonl(*requests(1)), purpose=purpose)])

    assert (response.status_code, response.json()["code"]) == (400, "invalid_file")


def test_the_results_of_a_job_are_no_input(api: Api, clock: Clock) -> None:
    job = api.created()
    clock.advance(60)

    response = api.create(input_files=[api.job(job)["output_file"]])

    assert (response.status_code, response.json()["code"]) == (400, "invalid_file")


def test_a_refused_model_is_refused_by_the_create_call(api: Api) -> None:
    response = api.create(model="sandbox-refused-9b")

    assert response.status_code == 400
    assert response.json() == {
        "object": "error",
        "message": "Invalid model: sandbox-refused-9b",
        "type": "invalid_request_error",
        "param": "model",
        "code": "unknown_model",
    }
    assert api.listed() == []


def test_the_endpoints_are_those_of_the_description() -> None:
    assert sorted(ENDPOINTS) == sorted(SCHEMAS["components"]["schemas"]["ApiEndpoint"]["enum"])


texts = st.text(max_size=2) | st.sampled_from(["k" * 32, "k" * 33, "v" * 512, "v" * 513])
anything: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 200), st.just(24.0), texts, st.just([]), st.just({})
)
line = st.fixed_dictionaries({"body": st.just({"model": "m"})}, optional={"custom_id": st.none() | texts})
either = st.one_of(
    st.fixed_dictionaries({"input_files": st.lists(st.just(NOBODY), min_size=1, max_size=2)}),
    st.fixed_dictionaries({"requests": st.lists(line, min_size=1, max_size=2)}),
)
others = st.fixed_dictionaries(
    {"endpoint": st.sampled_from(list(ENDPOINTS))},
    optional={
        "model": texts,
        "agent_id": texts,
        "metadata": st.dictionaries(texts, texts, max_size=2),
        "timeout_hours": st.integers(0, 169),
    },
)
breaks: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.just({}),
    st.dictionaries(
        st.sampled_from(["endpoint", "model", "agent_id", "timeout_hours", "requests"]), anything
    ),
    st.fixed_dictionaries({"metadata": st.dictionaries(texts, anything, max_size=2) | anything}),
    st.fixed_dictionaries({"input_files": st.lists(st.just(NOBODY) | texts, max_size=2) | anything}),
    st.fixed_dictionaries(
        {"requests": st.lists(line | st.dictionaries(st.just("body"), anything) | anything)}
    ),
)
bodies = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()}, either, others, breaks
)
_DESCRIBED = validator("CreateBatchJobRequest")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(bodies)
@example(GOOD)
def test_what_is_taken_is_what_the_description_allows(body: dict[str, Any]) -> None:
    wanted = _DESCRIBED.is_valid(body) and bool(body.get("input_files")) != bool(body.get("requests"))
    try:
        jobs.read_draft(httpx.Request("POST", "http://sandbox", json=body).content)
        taken = True
    except ErrorResponse:
        taken = False

    assert taken == wanted

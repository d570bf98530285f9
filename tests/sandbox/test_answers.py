"""The answers of each endpoint: readable by the official SDK's models, and never mistaken for a model's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.catalogue.bodies import BODIES
from reconciler.sandbox import results
from reconciler.sandbox.inputs import Request

JOB = "12345678-0000-4000-8000-000000000001"

SDK_MODELS = {
    "/v1/chat/completions": "ChatCompletionResponse",
    "/v1/embeddings": "EmbeddingResponse",
    "/v1/fim/completions": "FIMCompletionResponse",
    "/v1/moderations": "ModerationResponse",
    "/v1/chat/moderations": "ModerationResponse",
    "/v1/ocr": "OCRResponse",
    "/v1/classifications": "ClassificationResponse",
    "/v1/chat/classifications": "ClassificationResponse",
    "/v1/conversations": "ConversationResponse",
    "/v1/audio/transcriptions": "TranscriptionResponse",
}


def line(endpoint: str, body: dict[str, Any], position: int = 0, model: str | None = "m") -> dict[str, Any]:
    request = Request(body=body, custom_id="a")
    return results.line(JOB, position, request, endpoint=endpoint, model=model, created=1_800_000_000)


@pytest.mark.parametrize("endpoint", results.ENDPOINTS)
def test_the_official_sdk_reads_the_answer(endpoint: str) -> None:
    from mistralai.client import models

    answer = line(endpoint, {"input": "text"})

    assert (answer["custom_id"], answer["error"], answer["response"]["status_code"]) == ("a", None, 200)
    getattr(models, SDK_MODELS[endpoint]).model_validate(answer["response"]["body"])


@pytest.mark.parametrize("endpoint", results.ENDPOINTS)
def test_no_answer_looks_real(endpoint: str) -> None:
    body = line(endpoint, {"input": "text"})["response"]["body"]

    assert results.TEXT in str(body) or "'sandbox'" in str(body) or set(body["data"][0]["embedding"]) == {0.0}


@pytest.mark.parametrize("endpoint", results.ENDPOINTS)
def test_usage_is_reported_for_the_endpoints_that_report_it_in_the_real_api(endpoint: str) -> None:
    body = line(endpoint, {"input": "text"})["response"]["body"]

    if endpoint == "/v1/ocr":
        assert body["usage_info"]["pages_processed"] == 1
    else:
        usage = body["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@pytest.mark.parametrize(
    ("endpoint", "body", "results"),
    [
        ("/v1/embeddings", {"input": "one"}, 1),
        ("/v1/embeddings", {"input": ["one", "two", "three"]}, 3),
        ("/v1/embeddings", {"inputs": ["one", "two"]}, 2),
        ("/v1/moderations", {"input": []}, 0),
        ("/v1/classifications", {"input": ["one", "two"]}, 2),
        ("/v1/chat/moderations", {"input": [{"role": "user"}, {"role": "assistant"}]}, 1),
        ("/v1/chat/moderations", {"input": [[{"role": "user"}], [{"role": "user"}]]}, 2),
        ("/v1/chat/classifications", {}, 1),
    ],
)
def test_a_list_of_inputs_gets_a_result_each(endpoint: str, body: dict[str, Any], results: int) -> None:
    answered = line(endpoint, body)["response"]["body"]

    assert len(answered["data"] if "data" in answered else answered["results"]) == results


def test_a_line_is_named_like_the_real_ones() -> None:
    prefix, job, position, unique = line("/v1/ocr", {}, position=17)["id"].split("-", 3)

    assert (prefix, job, position) == ("batch", JOB[:8], "18")
    assert str(UUID(unique)) == unique


@pytest.mark.parametrize(
    ("model", "body", "reported"),
    [("m", {"model": "n"}, "m"), (None, {"model": "n"}, "n"), (None, {}, "sandbox")],
)
def test_the_model_is_the_jobs_or_the_requests(
    model: str | None, body: dict[str, Any], reported: str
) -> None:
    assert line("/v1/embeddings", body, model=model)["response"]["body"]["model"] == reported


values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.sampled_from(["", "json_schema", "json_object", "user"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "json_schema", "schema", "response_format"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
fields = st.sampled_from(sorted({name for fields in BODIES.values() for name in fields}))


@given(st.sampled_from(list(results.ENDPOINTS)), st.dictionaries(fields, values, max_size=4), st.booleans())
def test_any_body_has_a_line(endpoint: str, body: dict[str, Any], fails: bool) -> None:
    request = Request(body=body, custom_id="a")
    made = results.line(JOB, 0, request, endpoint=endpoint, model=None, created=1, fails=fails)
    assert (made["response"]["status_code"] == 200) != fails
    assert made == results.line(JOB, 0, request, endpoint=endpoint, model=None, created=1, fails=fails)

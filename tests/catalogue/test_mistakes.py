"""Plain mistakes in request bodies: each is found, and valid bodies have none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.catalogue.bodies import BODIES, KNOWN_ENDPOINTS
from reconciler.catalogue.mistakes import fit, mistakes

SDK = {
    "/v1/audio/transcriptions": "AudioTranscriptionRequest",
    "/v1/chat/classifications": "ChatClassificationRequest",
    "/v1/chat/completions": "ChatCompletionRequest",
    "/v1/chat/moderations": "ChatModerationRequest",
    "/v1/classifications": "ClassificationRequest",
    "/v1/conversations": "ConversationRequest",
    "/v1/embeddings": "EmbeddingRequest",
    "/v1/fim/completions": "FIMCompletionRequest",
    "/v1/moderations": "ClassificationRequest",
    "/v1/ocr": "OCRRequest",
}
HI = [{"role": "user", "content": "Hi"}]
CHAT = "/v1/chat/completions"

VALID: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {"messages": HI, "temperature": 0, "max_tokens": 10, "stream": False, "stop": ["a"], "top_p": 1.0},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "model": "m", "n": 2},
        {"messages": HI, "tools": [{"type": "function"}], "tool_choice": "auto", "response_format": None},
        {
            "messages": HI,
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
        },
        {"messages": [{"role": "assistant", "tool_calls": [], "content": None}, *HI], "max_tokens": None},
    ],
    "/v1/fim/completions": [{"prompt": "def f", "suffix": "return"}],
    "/v1/embeddings": [{"input": "a"}, {"input": ["a", "b"], "output_dtype": "int8", "output_dimension": 5}],
    "/v1/moderations": [{"input": ["a"]}],
    "/v1/classifications": [{"input": "a"}],
    "/v1/chat/moderations": [{"input": HI}, {"input": [HI]}],
    "/v1/chat/classifications": [{"input": {"messages": HI}}, {"input": [{"messages": HI}]}],
    "/v1/ocr": [{"document": {"type": "document_url", "document_url": "https://x"}, "pages": "0-5"}],
    "/v1/conversations": [{"inputs": "a"}, {"inputs": [{"role": "user"}], "completion_args": {"top_p": 0}}],
    "/v1/audio/transcriptions": [
        {"file_id": "a"},
        {"file_url": "https://x", "timestamp_granularities": ["word"]},
    ],
}


@pytest.mark.parametrize("endpoint", KNOWN_ENDPOINTS)
def test_the_fields_are_those_of_the_official_sdk(endpoint: str) -> None:
    from mistralai.client import models

    fields = getattr(models, SDK[endpoint]).model_fields
    assert set(BODIES[endpoint]) == {it.alias or name for name, it in fields.items()}


@pytest.mark.parametrize("endpoint", KNOWN_ENDPOINTS)
def test_what_the_official_sdk_requires_is_required_except_the_model(endpoint: str) -> None:
    from mistralai.client import models

    fields = getattr(models, SDK[endpoint]).model_fields
    required = {it.alias or name for name, it in fields.items() if it.is_required()}
    assert {it.path[0] for it in mistakes(endpoint, {}) if it.what == "is missing"} == required - {"model"}


@pytest.mark.parametrize(
    ("endpoint", "body"), [(endpoint, body) for endpoint, bodies in VALID.items() for body in bodies]
)
def test_a_valid_body_has_no_mistake(endpoint: str, body: dict[str, Any]) -> None:
    assert [*mistakes(endpoint, body)] == []
    assert endpoint in fit(BODIES, [json.dumps({"custom_id": "1", "body": body}).encode()])


@pytest.mark.parametrize(
    ("endpoint", "fields", "where", "what"),
    [
        (CHAT, {"messages": "hi"}, "messages", "is text, not a list"),
        (CHAT, {"messages": []}, "messages", "is empty"),
        (CHAT, {"messages": None}, "messages", "is nothing, not a list"),
        (CHAT, {"messages": HI[0]}, "messages", "is a mapping, not a list"),
        (CHAT, {"messages": ["hi"]}, "messages[]", "is text, not a mapping"),
        (
            CHAT,
            {"messages": [*HI, {"role": "usr"}]},
            "messages[].role",
            "must be assistant, system, tool or user",
        ),
        (CHAT, {"messages": [{"content": "hi"}]}, "messages[].role", "is missing"),
        (
            CHAT,
            {"messages": [{"role": "user", "content": 5}]},
            "messages[].content",
            "is a whole number, not text or a list",
        ),
        (CHAT, {"max_tokens": "many"}, "max_tokens", "is text, not a whole number"),
        (CHAT, {"max_tokens": -1}, "max_tokens", "must be at least 0"),
        (CHAT, {"max_tokens": 1.5}, "max_tokens", "is a number, not a whole number"),
        (CHAT, {"temperature": 300}, "temperature", "must be at most 1.5"),
        (CHAT, {"temperature": []}, "temperature", "is a list, not a number"),
        (CHAT, {"top_p": 0}, "top_p", "must be above 0"),
        (CHAT, {"stream": True}, "stream", "must be false in a batch"),
        (CHAT, {"response_format": "json"}, "response_format", "is text, not a mapping"),
        (
            CHAT,
            {"response_format": {"type": "json"}},
            "response_format.type",
            "must be text, json_object or json_schema",
        ),
        (
            CHAT,
            {"response_format": {"type": "json_schema"}},
            "response_format",
            "lacks `json_schema`, which its type requires",
        ),
        (CHAT, {"safe_prompt": "on"}, "safe_prompt", "is text, not true or false"),
        (
            CHAT,
            {"temprature": 0.5},
            "temprature",
            f"is no field of {CHAT}: did you mean `temperature`?",
        ),
        (
            CHAT,
            {"max_completion_tokens": 5},
            "max_completion_tokens",
            f"is no field of {CHAT}: did you mean `max_tokens`?",
        ),
        ("/v1/embeddings", {"input": {}}, "input", "is a mapping, not text or a list"),
        ("/v1/embeddings", {"input": [1]}, "input[]", "is a whole number, not text"),
        ("/v1/embeddings", {"encoding_format": "hex"}, "encoding_format", "must be float or base64"),
        ("/v1/moderations", {"input": []}, "input", "is empty"),
        ("/v1/chat/moderations", {"input": "a"}, "input", "is text, not a mapping or a list"),
        ("/v1/fim/completions", {"prompt": ["a"]}, "prompt", "is a list, not text"),
        ("/v1/ocr", {"document": None}, "document", "is nothing, not a mapping"),
        (
            "/v1/ocr",
            {"document": {"type": "document_url"}},
            "document",
            "names none of `document_url`, `image_url` and `file_id`",
        ),
        ("/v1/ocr", {"document": "https://x"}, "document", "is text, not a mapping"),
        ("/v1/conversations", {"inputs": 5}, "inputs", "is a whole number, not text or a list"),
        ("/v1/audio/transcriptions", {"file_url": 5}, "file_url", "is a whole number, not text"),
        (
            "/v1/audio/transcriptions",
            {"timestamp_granularities": ["day"]},
            "timestamp_granularities[]",
            "must be segment or word",
        ),
    ],
)
def test_a_plain_mistake_is_named(endpoint: str, fields: dict[str, Any], where: str, what: str) -> None:
    body = {**VALID[endpoint][0], **fields}
    assert [(it.where, it.what) for it in mistakes(endpoint, body)] == [(f"body.{where}", what)]
    assert endpoint not in fit(BODIES, [json.dumps({"body": body}).encode()])


def test_every_mistake_of_a_body_is_named() -> None:
    body = {"messages": "hi", "temperature": 9, "n": 0, "temprature": 1}
    assert [it.path[0] for it in mistakes(CHAT, body)] == ["temperature", "messages", "n", "temprature"]


def test_a_field_that_is_like_none_is_no_mistake() -> None:
    assert [*mistakes(CHAT, {"messages": HI, "zebra": 1})] == []


def test_a_number_written_as_text_passes_as_in_the_api() -> None:
    assert [*mistakes(CHAT, {"messages": HI, "max_tokens": "200", "temperature": "0.2"})] == []


def test_an_unknown_endpoint_has_no_mistakes() -> None:
    assert [*mistakes("/v1/of/the/future", {"messages": 5})] == []


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(-3, 3) | st.sampled_from(["", "user", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "name", "schema"]), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(sorted({name for fields in BODIES.values() for name in fields}))


@given(st.sampled_from(KNOWN_ENDPOINTS), st.dictionaries(names | st.just("zebra"), values, max_size=4))
def test_what_fits_has_no_mistake(endpoint: str, fields: dict[str, Any]) -> None:
    for body in (fields, {**VALID[endpoint][0], **fields}):
        fits = endpoint in fit(BODIES, [json.dumps({"body": body}).encode()])
        assert not (fits and [*mistakes(endpoint, body)])


@given(st.sampled_from(KNOWN_ENDPOINTS), names, values)
def test_a_mistake_repeats_no_value(endpoint: str, name: str, value: object) -> None:
    body = {
        name: {"secret": value, "role": "Zx9"} if isinstance(value, dict) else ["Zx9"] if value else "Zx9"
    }
    assert all("Zx9" not in it.what for it in mistakes(endpoint, body))

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from reconciler.api.error_text import cut, sentence

DETAIL = [
    {"type": "missing", "loc": ["body", "endpoint"], "msg": "Field required", "input": {"secret": "prompt"}}
]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {
                "object": "error",
                "message": "Invalid model: x",
                "type": "invalid_request_error",
                "param": "model",
                "code": "unknown_model",
            },
            "Invalid model: x",
        ),
        (
            {
                "object": "error",
                "message": "Rate limit exceeded",
                "type": "rate_limited",
                "param": None,
                "code": "1300",
            },
            "Rate limit exceeded",
        ),
        ({"message": "Requests rate limit exceeded"}, "Requests rate limit exceeded"),
        (
            {"object": "error", "message": {"detail": DETAIL}, "type": "invalid_request_error"},
            "body.endpoint: Field required",
        ),
        ({"detail": DETAIL}, "body.endpoint: Field required"),
        ({"detail": "Unauthorized"}, "Unauthorized"),
        (
            {"object": "Error", "detail": DETAIL, "message": ["something"], "code": 3001},
            "body.endpoint: Field required",
        ),
        ({"object": "Error", "detail": [], "message": ["one", "two"], "code": 3001}, "one; two"),
        ({"object": "Error", "message": json.dumps({"detail": DETAIL})}, "body.endpoint: Field required"),
        ({"error": {"message": "from another gateway"}}, "from another gateway"),
        ({"error": "plain"}, "plain"),
        ({"message": "{not json"}, "{not json"),
        ({"detail": [{"msg": "no place"}, {"loc": "odd", "msg": "odd place"}]}, "no place; odd place"),
        ({"detail": [{"loc": ["body", 3, None], "msg": "bad"}]}, "body.3: bad"),
    ],
)
def test_each_known_error_body_becomes_one_sentence(body: object, told: str) -> None:
    assert sentence(json.dumps(body).encode(), status=422) == told


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"42", b'{"code":3001}', b'{"detail":[{}]}', b"{broken"]
)
def test_a_body_that_says_nothing_leaves_the_name_of_the_status(body: bytes) -> None:
    assert sentence(body, status=422) == HTTPStatus(422).phrase


def test_a_status_without_a_name_gets_along() -> None:
    assert sentence(b"", status=529) == "no reason given"


@pytest.mark.parametrize(
    ("body", "content_type", "told"),
    [
        (b"<html><head><title>502 Bad\n Gateway</title></head>", "", 'an HTML page, "502 Bad Gateway"'),
        (b"<!DOCTYPE html><p>Sign in</p>", "text/html; charset=utf-8", "an HTML page"),
        (b"<center>nginx</center>", "text/html", "an HTML page"),
        (b"<html><title>A &amp; B</title>", "", 'an HTML page, "A & B"'),
        (b"upstream connect error", "text/plain", "upstream connect error"),
        (b"just words", "text/html", "just words"),
    ],
)
def test_html_is_told_by_its_title_and_text_as_it_is(body: bytes, content_type: str, told: str) -> None:
    assert sentence(body, status=502, content_type=content_type) == told


def test_the_input_that_a_mistake_was_found_in_is_left_out() -> None:
    told = sentence(json.dumps({"detail": DETAIL, "input": "prompt", "ctx": "prompt"}).encode(), status=422)
    assert "prompt" not in told


def test_many_mistakes_are_counted() -> None:
    detail = [{"loc": ["body", n], "msg": "bad"} for n in range(1200)]
    told = sentence(json.dumps({"detail": detail}).encode(), status=422)
    assert told == "body.0: bad; body.1: bad; body.2: bad; body.3: bad; body.4: bad; and 1,195 more"


def test_messages_within_messages_end_somewhere() -> None:
    strings, objects = "end", '"end"'
    for _ in range(8):
        strings = json.dumps({"message": strings})
        objects = f'{{"message":{objects}}}'
    assert sentence(strings.encode(), status=500) == "Internal Server Error"
    assert sentence(objects.encode(), status=500) == "Internal Server Error"
    assert sentence(b"[" * 60_000, status=500) == "Internal Server Error"


def test_control_characters_do_not_reach_the_reader() -> None:
    assert sentence(b'{"message":"a\\u001b[2Jb"}', status=500) == "a[2Jb"


def test_text_is_cut_with_an_ellipsis() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 11, 10) == "x" * 9 + "…"

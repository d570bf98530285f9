"""Warnings about request bodies: each kind once, with its number and its first line, and never a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.catalogue.mistakes import HINT, MAX_KINDS
from reconciler.errors import Problem
from reconciler.specs.inputs.scan import JUDGED_LINES

from .make import loaded, problems, spec

CHAT = spec(endpoint="/v1/chat/completions", model="mistral-small-2603")
GOOD = {"messages": [{"role": "user", "content": "Hi"}]}


def jsonl(*bodies: object) -> str:
    return "".join(json.dumps({"custom_id": str(at), "body": body}) + "\n" for at, body in enumerate(bodies))


def warned(root: Path, data: str, text: str = CHAT, **more: str) -> list[tuple[str, str]]:
    found = loaded(root, {"a.yaml": text, "data.jsonl": data, **more}).warnings
    assert all(it.warning for it in found)
    return [(it.where, it.message) for it in found]


def test_a_file_without_mistakes_has_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path, jsonl(*[GOOD] * 20)) == []


def test_each_kind_is_reported_once_with_its_number_and_its_first_line(tmp_path: Path) -> None:
    bodies = [GOOD, {"messages": "hi"}, {**GOOD, "temprature": 1}, {"messages": "a", "temprature": 0}]
    data = jsonl(*bodies, {"messages": [{"role": "usr"}, {"role": "usr"}]})
    assert warned(tmp_path, data) == [
        ("specs/data.jsonl:2", "`body.messages` is text, not a list (2 lines)"),
        (
            "specs/data.jsonl:3",
            "`body.temprature` is no field of /v1/chat/completions: did you mean `temperature`? (2 lines)",
        ),
        ("specs/data.jsonl:5", "`body.messages[].role` must be assistant, system, tool or user"),
    ]


def test_a_warning_says_what_happens(tmp_path: Path) -> None:
    (problem,) = loaded(tmp_path, {"a.yaml": CHAT, "data.jsonl": jsonl({"messages": []})}).warnings
    assert problem == Problem(
        path="specs/data.jsonl", line=1, message="`body.messages` is empty", hint=HINT, warning=True
    )


def test_a_mistake_in_every_line_of_a_large_file_is_counted(tmp_path: Path) -> None:
    data = jsonl(*[{**GOOD, "max_tokens": "many"}] * 5_000)
    assert warned(tmp_path, data) == [
        ("specs/data.jsonl:1", "`body.max_tokens` is text, not a whole number (5,000 lines)")
    ]


def test_a_mistake_in_the_first_thousand_lines_is_counted_in_all(tmp_path: Path) -> None:
    bodies = [GOOD] * (JUDGED_LINES - 1) + [{**GOOD, "max_tokens": "many"}] * 512
    (warning,) = warned(tmp_path, jsonl(*bodies))
    assert warning == (
        f"specs/data.jsonl:{JUDGED_LINES}",
        "`body.max_tokens` is text, not a whole number (512 lines)",
    )


@pytest.mark.parametrize("at", [0, 1, 255, 256, 500, 900])
def test_one_mistake_among_the_first_thousand_is_found_wherever_it_is(tmp_path: Path, at: int) -> None:
    bodies: list[dict[str, Any]] = [GOOD] * JUDGED_LINES
    bodies[at] = {**GOOD, "temperature": [300]}
    assert [where for where, _ in warned(tmp_path, jsonl(*bodies))] == [f"specs/data.jsonl:{at + 1}"]


def test_a_file_is_judged_by_the_endpoint_of_each_job(tmp_path: Path) -> None:
    data = jsonl({**GOOD, "input": [1]})
    both = spec(name="two", endpoint="/v1/embeddings", model="mistral-embed")
    assert warned(tmp_path, data, **{"b.yaml": both}) == [
        ("specs/data.jsonl:1", "`body.input[]` is a whole number, not text"),
    ]


def test_two_jobs_with_one_file_have_one_warning(tmp_path: Path) -> None:
    again = spec(name="two", endpoint="/v1/chat/completions", model="ministral-8b-2512")
    assert len(warned(tmp_path, jsonl({"messages": []}), **{"b.yaml": again})) == 1


def test_a_missing_field_is_reported_once_as_the_error_that_it_is(tmp_path: Path) -> None:
    found = problems(tmp_path, {"a.yaml": CHAT, "data.jsonl": jsonl({})})
    assert [it.message for it in found] == [
        "`body` lacks a field: `messages`, which /v1/chat/completions requires"
    ]
    assert not [it for it in found if it.warning]


def test_an_unknown_endpoint_is_not_judged(tmp_path: Path) -> None:
    text = spec(endpoint="/v1/of/the/future", model="mistral-small-2603")
    (warning,) = warned(tmp_path, jsonl({"messages": "hi"}), text)
    assert "endpoint: not documented" in warning[1]


def test_of_many_kinds_the_first_are_reported(tmp_path: Path) -> None:
    odd = [{**GOOD, f"temperature{at}": 1} for at in range(3 * MAX_KINDS)]
    assert len(warned(tmp_path, jsonl(*odd))) == MAX_KINDS


def test_a_line_that_is_too_long_to_decode_is_not_judged(tmp_path: Path) -> None:
    data = jsonl(GOOD, {"messages": "x" * 600_000}, {"messages": "hi"})
    assert warned(tmp_path, data) == [("specs/data.jsonl:3", "`body.messages` is text, not a list")]


def test_the_contents_of_a_body_are_not_repeated(tmp_path: Path) -> None:
    confidential = "Zx9"
    data = jsonl(
        {"messages": [{"role": confidential, "content": 5}], "stop": {confidential: 1}, "n": confidential}
    )
    found = loaded(tmp_path, {"a.yaml": CHAT, "data.jsonl": data}).warnings
    assert len(found) == 3
    assert confidential not in repr(found)


def test_inline_requests_are_judged_too(tmp_path: Path) -> None:
    text = spec(endpoint="/v1/chat/completions", model="mistral-small-2603", input_files=None)
    text += "requests:\n"
    text += "  - {custom_id: a, body: {messages: [{role: user, content: Hi}]}}\n"
    text += "  - {custom_id: b, body: {messages: [], max_tokens: many}}\n"
    text += "  - {custom_id: c, body: {messages: []}}\n"
    found = loaded(tmp_path, {"a.yaml": text}).warnings
    assert [(it.where, it.message) for it in found if it.path == "specs/a.yaml"] == [
        ("specs/a.yaml:6:26", "requests[1]: `body.max_tokens` is text, not a whole number"),
        ("specs/a.yaml:6:26", "requests[1]: `body.messages` is empty (2 requests)"),
    ]

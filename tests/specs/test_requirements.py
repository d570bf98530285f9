"""Checks of a job's lines: the fields that its endpoint needs, and the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from .make import loaded, problems, spec


def lines(*bodies: str) -> str:
    return "".join(f'{{"custom_id":"{at}","body":{body}}}\n' for at, body in enumerate(bodies))


def test_every_line_without_the_endpoints_field_is_named(tmp_path: Path) -> None:
    data = lines('{"input":"a"}', "{}", '{"input":null}', '{"messages":[]}')
    assert [(it.where, it.message) for it in problems(tmp_path, {"a.yaml": spec(), "data.jsonl": data})] == [
        ("specs/data.jsonl:2", "`body` lacks a field: `input`, which /v1/embeddings requires"),
        ("specs/data.jsonl:4", "`body` lacks a field: `input`, which /v1/embeddings requires"),
    ]


def test_of_many_lines_that_lack_it_twenty_are_named_and_the_others_counted(tmp_path: Path) -> None:
    found = problems(tmp_path, {"a.yaml": spec(), "data.jsonl": lines(*["{}"] * 100)})
    assert len(found) == 21
    assert found[-1].message == "80 more problems from here on: `body` lacks a field (80)"


def test_another_model_in_a_body_is_named(tmp_path: Path) -> None:
    data = lines(
        '{"input":"a","model":"mistral-embed"}', '{"input":"a","model":"other"}', '{"input":"","model":[1]}'
    )
    found = problems(tmp_path, {"a.yaml": spec(), "data.jsonl": data})
    assert [(it.where, it.message) for it in found] == [
        ("specs/data.jsonl:2", "`body.model` is not the job's model, `mistral-embed`"),
        ("specs/data.jsonl:3", "`body.model` is not the job's model, `mistral-embed`"),
    ]


def test_one_file_serves_jobs_that_ask_for_different_things(tmp_path: Path) -> None:
    data = lines('{"input":"a","messages":[]}')
    chat = spec(name="two", endpoint="/v1/chat/completions", model="mistral-small-latest")
    assert len(loaded(tmp_path, {"a.yaml": spec(), "b.yaml": chat, "data.jsonl": data}).specs) == 2


@pytest.mark.parametrize("endpoint", ["/v1/audio/transcriptions", "/v1/of/the/future"])
def test_an_endpoint_without_a_row_asks_for_nothing(tmp_path: Path, endpoint: str) -> None:
    assert problems(tmp_path, {"a.yaml": spec(endpoint=endpoint), "data.jsonl": lines("{}")}) == ()


def test_inline_requests_are_asked_too(tmp_path: Path) -> None:
    text = spec(input_files=None) + "requests:\n  - {custom_id: a, body: {input: x, model: m}}\n"
    text += "  - {custom_id: b, body: {n: 1}}\n"
    assert [(it.where, it.message) for it in problems(tmp_path, {"a.yaml": text})] == [
        ("specs/a.yaml:5:26", "requests[0]: `body.model` is not the job's model, `mistral-embed`"),
        ("specs/a.yaml:6:26", "requests[1]: `body` lacks a field: `input`, which /v1/embeddings requires"),
    ]


def test_a_long_line_is_asked_without_being_decoded(tmp_path: Path) -> None:
    long = "x" * 1_100_000
    good, bad = f'{{"input":"{long}"}}', f'{{"inputs":"{long}","model":"m"}}'
    found = problems(tmp_path, {"a.yaml": spec(), "data.jsonl": lines(good, bad)})
    assert [(it.where, it.message.partition(":")[0]) for it in found] == [
        ("specs/data.jsonl:2", "`body.model` is not the job's model, `mistral-embed`"),
        ("specs/data.jsonl:2", "`body` lacks a field"),
    ]


def test_many_shapes_of_bodies_do_not_hide_the_one_that_lacks_the_field(tmp_path: Path) -> None:
    bodies = [f'{{"input":"","k{at}":1}}' for at in range(1500)] + ['{"q":1}']
    (found,) = problems(tmp_path, {"a.yaml": spec(), "data.jsonl": lines(*bodies)})
    assert found.where == "specs/data.jsonl:1501"

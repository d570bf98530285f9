"""What requests may use, as far as their bodies tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.catalogue.workload import Load, pages
from reconciler.model.money import Workload
from reconciler.settings import Limits
from reconciler.specs.inputs.reader import check

TEXT = {"messages": [{"role": "user", "content": "Bonjour"}]}
IMAGE = {
    "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x.example/a.png"}]}]
}


def load(*bodies: dict[str, Any], one_list_each: bool = False) -> Load:
    found = Load()
    found.add(bodies, one_list_each=one_list_each)
    return found


def scanned(folder: Path, *bodies: dict[str, Any], **form: Any) -> Workload:  # noqa: ANN401 - arguments of `json.dumps`
    path = folder / "a.jsonl"
    rows = [{"custom_id": str(at), "body": body} for at, body in enumerate(bodies)]
    path.write_text("".join(json.dumps(row, **form) + "\n" for row in rows))
    found = check(path, "a.jsonl", Limits())
    assert not found.problems
    assert found.file.workload
    return found.file.workload


@pytest.mark.parametrize(
    ("body", "output", "without", "most"),
    [
        (TEXT | {"max_tokens": 20}, 20, 0, 1),
        (TEXT | {"max_tokens": 20, "n": 3}, 60, 0, 3),
        (TEXT | {"max_tokens": 20, "n": None}, 20, 0, 1),
        (TEXT, 0, 1, 1),
        (TEXT | {"n": 3}, 0, 3, 3),
        (TEXT | {"max_tokens": None}, 0, 1, 1),
        (TEXT | {"max_tokens": "20"}, 0, 1, 1),
        (TEXT | {"max_tokens": True}, 0, 1, 1),
        (TEXT | {"max_tokens": 2.5}, 0, 1, 1),
        (TEXT | {"max_tokens": [20]}, 0, 1, 1),
        (TEXT | {"max_tokens": 0}, 0, 1, 1),
        ({"document": {"document_url": "https://x.example"}, "pages": [0, 3]}, 2, 0, 1),
        ({"document": {"document_url": "https://x.example"}, "pages": "0-9"}, 10, 0, 1),
        ({"document": {"document_url": "https://x.example"}, "max_tokens": 5}, 0, 1, 1),
    ],
)
def test_a_body_bounds_its_answer(body: dict[str, Any], output: int, without: int, most: int) -> None:
    found = load(body)
    assert (found.output, found.largest_output, found.without_maximum, found.largest_n) == (
        output,
        output,
        without,
        most,
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 1),
        ("0-9", 10),
        ("0,2-5", 5),
        (" 1 - 2 , 4", 3),
        ("5-2", 0),
        ("", 0),
        ("last", 0),
        ("1-", 0),
        (7, 0),
    ],
)
def test_pages_are_counted_as_the_api_writes_them(text: object, number: int) -> None:
    assert pages(text) == number


@pytest.mark.parametrize(
    ("body", "linked"),
    [
        (TEXT, 0),
        (IMAGE, 1),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, 0),
        ({"messages": [{"role": "user", "content": [{"text": "a"}, {"type": "document_url"}]}]}, 1),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, 0),
        ({"messages": [{"role": "assistant", "content": None}]}, 0),
        ({"messages": [{"role": "user", "content": {"type": "image_url"}}]}, 1),
        ({"messages": "text"}, 1),
        (TEXT | {"tools": []}, 1),
        (TEXT | {"safe_prompt": True}, 1),
        (TEXT | {"a_new_field": 1}, 1),
        ({"input": ["a", "b"]}, 0),
        ({"prompt": "def f", "suffix": "pass"}, 0),
        ({"document": {"image_url": "data:image/png;base64,AAAA"}}, 1),
    ],
)
def test_bytes_bound_the_tokens_of_texts_alone(body: dict[str, Any], linked: int) -> None:
    assert load(body).linked == linked


def test_lines_with_one_list_each_on_average_hide_no_image() -> None:
    """One line without a list makes room for a second one in another."""
    assert load(IMAGE, {"messages": "text"}, one_list_each=True).linked == 2
    assert load(IMAGE, {"input": "text"}, one_list_each=True).linked == 1
    assert load(TEXT, TEXT, one_list_each=True).linked == 0


def test_annotations_are_counted() -> None:
    found = load({"document": {}, "document_annotation_format": {}}, {"document": {}, "pages": [0]})
    assert found.annotated == 1


@pytest.mark.parametrize("form", [{}, {"separators": (",", ":")}])
def test_a_file_tells_its_workload(tmp_path: Path, form: dict[str, Any]) -> None:
    bodies: list[dict[str, Any]] = [TEXT | {"max_tokens": 10}, IMAGE, TEXT | {"max_tokens": 30, "n": 2}] * 50
    found = scanned(tmp_path, *bodies, **form)
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    assert found == Workload(
        requests=150,
        bytes=sum(map(len, lines)),
        longest=max(map(len, lines)),
        output=50 * 70,
        largest_output=60,
        without_maximum=50,
        largest_n=2,
        linked=50,
    )


def test_escapes_in_keys_hide_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"custom_id":"1","body":{"messages":[{"role":"user","content":[{"t\\u0079pe":"im\\u0061ge_url"}]}],'
        '"max_t\\u006fkens":7}}\n'
    )
    found = check(path, "a.jsonl", Limits()).file.workload
    assert found
    assert (found.linked, found.output) == (1, 7)


def test_a_line_too_long_to_be_decoded_is_not_bounded_by_its_bytes(tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "a" * 600_000}], "max_tokens": 9}
    found = scanned(tmp_path, TEXT | {"max_tokens": 1}, body)
    assert (found.linked, found.output, found.without_maximum) == (1, 10, 0)
    assert found.longest > 600_000

"""Warnings about models: unknown, retired and unfit ones, at the place that names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.catalogue.models import table

from .make import loaded, spec


def warned(root: Path, **texts: str) -> list[tuple[str, str, str]]:
    found = loaded(root, {f"{name}.yaml": text for name, text in texts.items()}).warnings
    return [(it.where, it.message, it.hint) for it in found if it.path != "specs/data.jsonl"]


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (
            "mistral-embd",
            "model: `mistral-embd` is not a known model",
            "did you mean `mistral-embed`?",
        ),
        (
            "of-the-future",
            "model: `of-the-future` is not a known model",
            "it may be newer than the table",
        ),
        (
            "mistral-ocr-2503",
            "model: `mistral-ocr-2503` was retired on 2025-12-31",
            "use `mistral-ocr-4-1`",
        ),
        (
            "mistral-ocr-2512",
            "model: `mistral-ocr-2512` is not for /v1/embeddings",
            "name another model: it is for /v1/ocr",
        ),
    ],
)
def test_a_doubtful_model_is_a_warning_at_its_place(
    tmp_path: Path, model: str, message: str, hint: str
) -> None:
    assert warned(tmp_path, a=spec(model=model)) == [
        ("specs/a.yaml:3:8", message, f"{hint} (table of {table().date}; the API decides)")
    ]


@pytest.mark.parametrize(
    "model", ["mistral-embed", "codestral-embed-2505", "ft:mistral-embed:x:y", "sandbox-stuck"]
)
def test_a_known_a_fine_tuned_and_a_sandbox_model_have_no_warning(tmp_path: Path, model: str) -> None:
    assert warned(tmp_path, a=spec(model=f"'{model}'")) == []


def test_an_agent_is_not_judged(tmp_path: Path) -> None:
    text = spec(endpoint="/v1/chat/completions", model=None) + "agent_id: ag_1\n"
    data = '{"custom_id":"1","body":{"messages":[{"role":"user","content":""}]}}\n'
    assert loaded(tmp_path, {"a.yaml": text, "data.jsonl": data}).warnings == ()


def test_every_model_of_a_matrix_is_judged(tmp_path: Path) -> None:
    text = spec(name="'a-{model}'", model=None) + "matrix: {model: [mistral-embed, codestral-2405, x-1]}\n"
    assert [(where, message.split("`")[1]) for where, message, _ in warned(tmp_path, a=text)] == [
        ("specs/a.yaml:4:33", "codestral-2405"),
        ("specs/a.yaml:4:49", "x-1"),
    ]


def test_a_model_of_the_defaults_is_reported_where_it_is(tmp_path: Path) -> None:
    found = warned(tmp_path, a=spec(model=None), _defaults="model: mistral-ocr-2503\n")
    assert [where for where, _, _ in found] == ["specs/_defaults.yaml:1:8"]


def test_a_model_that_is_no_name_has_one_problem(tmp_path: Path) -> None:
    from reconciler.errors import SpecError

    with pytest.raises(SpecError) as error:
        loaded(tmp_path, {"a.yaml": spec(model="mistral small")})
    assert len(error.value.problems) == 1

"""The check of the language rules finds what they forbid, in prose and nowhere else."""

from __future__ import annotations

import pytest

from tools import language


@pytest.mark.parametrize(
    "text",
    [
        "The user is told which job it was.",
        "Where no job is found, it is created.",
        "An error, where there is one, is printed.",
        "Nobody buys the same work twice.",
        "The tag stands in the metadata.",
        "The file lies below the root.",
        "What came of each create.",
    ],
)
def test_a_sentence_that_breaks_a_rule_is_found(text: str) -> None:
    assert list(language.findings("docs/page.md", text))
    assert list(language.findings("module.py", f'"""{text}"""'))
    assert list(language.findings("module.py", f"# {text}"))


@pytest.mark.parametrize(
    "text",
    [
        "Set `told` to the folder where results are kept.",
        "If no job is found, it is created.",
        "```\nnobody is told\n```",
    ],
)
def test_code_and_plain_sentences_are_left_alone(text: str) -> None:
    assert not list(language.findings("docs/page.md", text))


def test_identifiers_are_no_prose() -> None:
    assert not list(language.findings("module.py", "told = bought(nobody)\n"))


def test_the_prose_of_tests_and_benchmarks_is_checked_by_default() -> None:
    checked = language.files([])
    assert {"README.md", "reconciler/__init__.py", "tests/conftest.py", "benchmarks/noop.py"} <= set(checked)


def test_every_exception_names_a_file_that_exists() -> None:
    assert all((language.ROOT / path).exists() for path, _, _ in language.EXCEPTIONS)

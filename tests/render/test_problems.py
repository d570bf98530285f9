from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Problem
from reconciler.render.problems import excerpt, problems_text
from reconciler.text.sanitize import clean

PROBLEM = Problem(
    path="specs/nightly.yaml",
    line=7,
    column=8,
    message="model: not a model name",
    hint="one word",
    excerpt="model: mistral small",
)
WARNING = Problem(path="specs/data/x.jsonl", message="no spec names this file", warning=True)


def test_nothing_to_report_is_no_text() -> None:
    assert problems_text([], colour=False) == ""


def test_a_problem_is_a_place_a_line_a_caret_and_a_hint() -> None:
    assert problems_text([PROBLEM, WARNING], colour=False) == (
        "specs/nightly.yaml:7:8: model: not a model name\n"
        "    model: mistral small\n"
        "           ^\n"
        "  hint: one word\n"
        "specs/data/x.jsonl: warning: no spec names this file\n"
        "1 problem, 1 warning in 2 files"
    )


@pytest.mark.parametrize(
    ("problems", "last"),
    [
        ([PROBLEM], "1 problem in 1 file"),
        ([PROBLEM] * 1200, "1,200 problems in 1 file"),
        ([WARNING], "1 warning in 1 file"),
        ([WARNING, WARNING, PROBLEM], "1 problem, 2 warnings in 2 files"),
    ],
)
def test_the_last_line_counts(problems: list[Problem], last: str) -> None:
    assert problems_text(problems, colour=False).splitlines()[-1] == last


def test_colour_adds_codes_and_changes_no_letter() -> None:
    coloured = problems_text([PROBLEM, WARNING], colour=True)
    assert "\x1b[31m^\x1b[0m" in coloured
    plain = coloured
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[36m"):
        plain = plain.replace(code, "")
    assert plain == problems_text([PROBLEM, WARNING], colour=False)


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    bad = "a\x1b[31m\x07\u202eb\ud800\nc"
    problem = Problem(path=bad, line=1, column=1, message=bad, hint=bad, excerpt=bad)
    text = problems_text([problem], colour=False)
    assert text.splitlines()[:-1] == [
        "a[31mb c:1:1: a[31mb c",
        "    a[31mb c",
        "    ^",
        "  hint: a[31mb c",
    ]


@pytest.mark.parametrize(
    ("line", "column", "shown", "caret"),
    [
        ("name: x", 7, "name: x", 6),
        ("name: x", 1, "name: x", 0),
        ("name: x", 0, "name: x", None),
        ("name: x", 8, "name: x", 7),
        ("", 1, "", 0),
        ("\ta: x", 5, "    a: x", 7),
        ("漢字: x", 5, "漢字: x", 6),
        ("e\u0301: x", 5, "e\u0301: x", 3),
        ("😀: x", 4, "😀: x", 4),
        ("a\x1b\x07: x", 6, "a: x", 3),
    ],
)
def test_the_caret_is_under_its_character(line: str, column: int, shown: str, caret: int | None) -> None:
    assert excerpt(line, column) == (shown, caret)


def test_a_long_line_is_cut_around_the_caret() -> None:
    line = "".join(f"{n:04}" for n in range(100))
    shown, caret = excerpt(line, 201)
    assert len(shown) == 96
    assert (shown[0], shown[-1]) == ("…", "…")
    assert caret is not None
    assert shown[caret : caret + 4] == "0050"
    assert excerpt(line, 1) == (f"{line[:95]}…", 0)
    shown, caret = excerpt(line, 400)
    assert shown.endswith("0099")
    assert caret == len(shown) - 1
    wide, caret = excerpt("漢" * 100, 100)
    assert caret is not None
    assert caret < 96
    assert wide[0] == "…"


@given(st.text(max_size=300), st.integers(0, 320))
def test_an_excerpt_is_one_short_line_with_its_caret_inside(line: str, column: int) -> None:
    shown, caret = excerpt(line, column)
    assert len(shown.splitlines()) <= 1
    assert caret is None or 0 <= caret <= 97


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("naïve 漢字 😀", "naïve 漢字 😀"),
        ("two\nlines\r\nand\ta tab", "two lines and a tab"),
        ("\x1b]0;title\x07\x9b31m", "]0;title31m"),
        ("right\u202eleft\u2066x\u2069", "rightleftx"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("half \ud83d", "half "),
        ("family 👩\u200d👧", "family 👩\u200d👧"),
        ("hidden\U000e0041", "hidden"),
    ],
)
def test_cleaning_takes_what_acts_or_hides(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_clean_text_is_one_line_that_every_encoder_takes(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)
    assert clean(cleaned) == cleaned

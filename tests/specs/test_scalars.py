from __future__ import annotations

import pytest

from reconciler.specs.yaml.scalars import NotAValueError, may_be_other_than_text, resolve


@pytest.mark.parametrize(
    "word", ["no", "No", "on", "off", "Yes", "y", "n", "nan", "inf", "tRUE", "nil", "none"]
)
def test_words_that_yaml_1_1_took_for_something_else_are_text(word: str) -> None:
    assert resolve(word) == word


LOOKS_LIKE_A_NUMBER = """
    12:30:45 2024-01-02 2024-01-02T03:04:05Z 1_000 1.2.3 0b11 0x 0o9 0xG 1e e3 . - + --1 1- +0x1F -0o7 1,5 ٣ ..5 0O14
"""


@pytest.mark.parametrize("word", LOOKS_LIKE_A_NUMBER.split())
def test_what_only_looks_like_a_number_is_text(word: str) -> None:
    assert resolve(word) == word


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("012", 12),
        ("0o14", 12),
        ("0xC", 12),
        ("0x1F", 31),
        ("-3", -3),
        ("+3", 3),
        ("-0", 0),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("1.10", 1.1),
    ],
)
def test_the_core_schema_of_yaml_1_2(word: str, value: object) -> None:
    assert resolve(word) == value
    assert type(resolve(word)) is type(value)


@pytest.mark.parametrize("word", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", ".NAN", "1e999", "9" * 65])
def test_what_json_cannot_hold_is_refused(word: str) -> None:
    with pytest.raises(NotAValueError):
        resolve(word)


@pytest.mark.parametrize("word", ["", "~", "true", "null", "12", "-1", "+1", ".5", ".inf", "0x1F"])
def test_the_quick_look_misses_nothing(word: str) -> None:
    assert may_be_other_than_text(word)

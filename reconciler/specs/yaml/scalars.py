"""Resolve an unquoted word of YAML by the core schema of YAML 1.2.2 (section 10.3.2).

    (nothing) null ~            null
    true false                  a boolean; `yes`, `no`, `on`, `off` are text
    12 -3 012 0o14 0x1F         whole numbers; a leading zero is ignored
    1.5 1e3 .5                  numbers
    everything else             text: dates, 12:30:45, 1_000 and versions like 1.2.3 too

Values become JSON, which has no infinity and no NaN, so `.inf` and `.nan` are refused.
"""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"

MAX_NUMBER_LENGTH: Final = 64
"""Maximum characters of an unquoted number. A longer one is an id or hostile input."""

WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
FIRST: Final = frozenset("0123456789+-.")
"""The first characters of numbers: a word that begins otherwise, and is not in `WORDS`, is text."""
_NUMBER: Final = re.compile(
    r"(?P<ten>[-+]?[0-9]+)|0o(?P<eight>[0-7]+)|0x(?P<sixteen>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<no_json>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_BASES: Final = {"ten": 10, "eight": 8, "sixteen": 16}


class NotAValueError(ValueError):
    """An unquoted word is a value that JSON cannot represent. The text is the message."""


def may_be_other_than_text(text: str) -> bool:
    """Return, quickly, whether `resolve` may return anything but `text` itself."""
    return text in WORDS or text[0] in FIRST


def resolve(text: str) -> Scalar:
    """Return the value of the unquoted word `text`.

    Raises `NotAValueError` for infinity, NaN, and a number that cannot be kept.
    """
    value = WORDS.get(text, text)
    return _number(text) if value is text and text[0] in FIRST else value


def _number(text: str) -> Scalar:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    kind = found.lastgroup or ""
    if kind == "no_json":
        raise NotAValueError(f"{text} is not a number in JSON")
    if len(text) > MAX_NUMBER_LENGTH:
        raise NotAValueError(f"a number of {len(text):,} characters; at most {MAX_NUMBER_LENGTH}")
    if kind in _BASES:
        return int(found[kind], _BASES[kind])
    value = float(text)
    if not math.isfinite(value):
        raise NotAValueError(f"{text} is too large for a number")
    return value

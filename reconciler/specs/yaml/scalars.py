"""What an unquoted word of YAML means, by the core schema of YAML 1.2.2 (section 10.3.2).

    (nothing) null ~            null
    true false                  a boolean; `yes`, `no`, `on`, `off` are text
    12 -3 012 0o14 0x1F         whole numbers; a leading zero means nothing
    1.5 1e3 .5                  numbers
    everything else             text: dates, 12:30:45, 1_000 and versions like 1.2.3 too

JSON has no infinity and no NaN, and what we read becomes JSON, so `.inf` and `.nan` are refused.
"""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"

LONGEST_NUMBER: Final = 64
"""Characters of an unquoted number. Longer ones are ids or hostile, and neither is a number."""

WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
FIRST: Final = frozenset("0123456789+-.")
"""What a number begins with: a word that begins otherwise, and is not among `WORDS`, is text."""
_NUMBER: Final = re.compile(
    r"(?P<ten>[-+]?[0-9]+)|0o(?P<eight>[0-7]+)|0x(?P<sixteen>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<no_json>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_BASES: Final = {"ten": 10, "eight": 8, "sixteen": 16}


class NotAValueError(ValueError):
    """An unquoted word that means something JSON cannot hold. Its text says what."""


def may_be_other_than_text(text: str) -> bool:
    """Tell, quickly, whether `resolve` may return anything but `text` itself."""
    return text in WORDS or text[0] in FIRST


def resolve(text: str) -> Scalar:
    """Return what the unquoted word `text` means.

    Raises:
        NotAValueError: infinity, NaN, or a number that cannot be kept.
    """
    value = WORDS.get(text, text)
    return _number(text) if value is text and text[0] in FIRST else value


def _number(text: str) -> Scalar:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    kind = found.lastgroup or ""
    if kind == "no_json":
        raise NotAValueError(f"{text} is not a number that JSON can hold")
    if len(text) > LONGEST_NUMBER:
        raise NotAValueError(f"a number of {len(text):,} digits")
    if kind in _BASES:
        return int(found[kind], _BASES[kind])
    value = float(text)
    if not math.isfinite(value):
        raise NotAValueError(f"{text} is too large for a number")
    return value

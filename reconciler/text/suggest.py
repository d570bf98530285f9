"""Parts of messages: kinds of values, lists of words, and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_CLOSE: Final = 0.6
"""How similar a name must be to be suggested; difflib's own default."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that `word` was probably meant to be, None if there is none."""
    import difflib  # noqa: PLC0415 - only wrong specs need it

    plain = {_plain(name): name for name in sorted(known)}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=_CLOSE)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint that names the nearest known name, or `otherwise`."""
    found = nearest(word, known)
    return f"did you mean `{found}`?" if found else otherwise


KINDS: Final = {
    "null": "nothing",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
"""Plain words for the types of JSON Schema."""

_TYPES: Final = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))


def kind(value: object) -> str:
    """Return the kind of a value in plain words."""
    return KINDS[next((name for a_type, name in _TYPES if isinstance(value, a_type)), "object")]


def either(words: Sequence[str]) -> str:
    """Join words with commas and a last "or"."""
    return " or ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")

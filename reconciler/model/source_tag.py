"""The tag with the source of a job: commit, branch, actor and CI run, in words that fit into one value."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote

from reconciler.model.owned import Source

MAX_VALUE: Final = 512
"""Characters of one value (OpenAPI description, CreateBatchJobRequest.metadata)."""
MAX_DIGITS: Final = 16
"""Digits of a number in a tag."""
DROP_ORDER: Final = ("repo", "plan", "branch", "event", "approver", "run", "pull", "actor")
"""The parts of a source to drop, in this order, if they do not fit: the run's URL names the repository too."""

_WORDS: Final = {
    field: {"repository": "repo", "run_url": "run"}.get(field, field) for field in Source.__struct_fields__
}
"""For each field of a source, its word in the tag."""


def write(source: Source) -> str:
    """Fit the source into one value: drop parts in the order of `DROP_ORDER`; commit and root stay."""
    words = {word: getattr(source, field) for field, word in _WORDS.items()}
    words["dirty"] = "yes" if source.dirty else ""
    for leave_out in DROP_ORDER:
        if len(join(words)) > MAX_VALUE:
            words[leave_out] = ""
    return join(words)


@lru_cache(maxsize=1000)  # every job of an apply has the same
def read(text: str) -> Source:
    """Parse the value of the tag."""
    words = split(text)
    parts: dict[str, Any] = {field: words.get(word, "") for field, word in _WORDS.items()}
    parts["dirty"] = parts["dirty"] == "yes"
    return Source(**parts)


def join(words: Mapping[str, str]) -> str:
    """Return `key=value` words; those without a value are left out."""
    return " ".join(f"{key}={quote(value, safe=':/@+,')}" for key, value in words.items() if value)


def split(text: str) -> dict[str, str]:
    """Parse what `join` returns."""
    words = dict([word.split("=", 1) for word in text.split(" ") if "=" in word])
    return {key: unquote(value) for key, value in words.items()} if "%" in text else words


def number(text: str) -> int | None:
    """Read a number of some digits; None if it is none."""
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None

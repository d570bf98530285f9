"""GitHub's expressions, as far as the workflows use them; anything else is an error here.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w.-]*)|(?P<sign>==|!=|&&|\|\||[!(),]))"
)
_HOLE: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
STATUS: Final = ("always", "success", "failure", "cancelled")


def filled(text: object, contexts: Mapping[str, Any]) -> str:
    """Return a text with its `${{ }}` filled in."""
    return _HOLE.sub(lambda hole: shown(value(hole[1], contexts)), shown(text))


def shown(found: object) -> str:
    """Return a value as GitHub writes it."""
    if found is None:
        return ""
    return {True: "true", False: "false"}.get(found, "") if isinstance(found, bool) else str(found)


def holds(condition: object, contexts: Mapping[str, Any], *, well: bool) -> bool:
    """Whether a step or a job runs: without a word about the status, only after success."""
    text = shown(True if condition is None else condition)
    text = _HOLE.sub(lambda hole: hole[1], text)
    status = {"always": True, "success": well, "failure": not well, "cancelled": False}
    found = bool(value(text, {**contexts, "status": status}))
    return found if re.search(rf"\b({'|'.join(STATUS)})\(", text) else found and well


def value(text: str, contexts: Mapping[str, Any]) -> Any:  # noqa: ANN401  whatever the contexts hold
    """Return what an expression comes to."""
    words: list[str] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        assert match is not None, f"not understood: {text[at:]!r}"
        words.append(match[0].strip())
        at = match.end()
    found = _either(words, contexts)
    assert not words, f"left over: {words}"
    return found


def _either(words: list[str], contexts: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
    found = _both(words, contexts)
    while words and words[0] == "||":
        words.pop(0)
        other = _both(words, contexts)
        found = found or other
    return found


def _both(words: list[str], contexts: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
    found = _compared(words, contexts)
    while words and words[0] == "&&":
        words.pop(0)
        other = _compared(words, contexts)
        found = found and other
    return found


def _compared(words: list[str], contexts: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
    found = _one(words, contexts)
    if words and words[0] in ("==", "!="):
        sign = words.pop(0)
        same = shown(found).lower() == shown(_one(words, contexts)).lower()
        return same if sign == "==" else not same
    return found


def _one(words: list[str], contexts: Mapping[str, Any]) -> Any:  # noqa: ANN401, PLR0911  as above, and a case a return
    word = words.pop(0)
    if word == "!":
        return not _one(words, contexts)
    if word == "(":
        found = _either(words, contexts)
        assert words.pop(0) == ")"
        return found
    if word.startswith("'"):
        return word[1:-1].replace("''", "'")
    if word in ("true", "false"):
        return word == "true"
    if word == "format":
        return _formatted(words, contexts)
    if words and words[0] == "(":
        assert words[:2] == ["(", ")"], f"no function with arguments: {word}"
        del words[:2]
        return contexts["status"][word]
    found = contexts
    first, *rest = word.split(".")
    assert first in contexts, f"no context of this name: {word}"
    found = contexts[first]
    for part in rest:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _formatted(words: list[str], contexts: Mapping[str, Any]) -> str:
    arguments = []
    sign = "("
    while sign != ")":
        assert words.pop(0) in ("(", ",")
        arguments.append(shown(_either(words, contexts)))
        sign = words[0]
    words.pop(0)
    return arguments[0].format(*arguments[1:])

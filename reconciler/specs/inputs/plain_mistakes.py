"""Warn about plain mistakes in the bodies of requests: each kind once, with its number and its first line.

The first lines of a file are checked. If one of them has a mistake for the job's endpoint, all lines are read again, to
count. Lines that are too long to be decoded are not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from reconciler.catalogue import mistakes
from reconciler.errors import Problem
from reconciler.specs.inputs.blocks import Text, split
from reconciler.specs.inputs.diagnose import MAX_LENGTH
from reconciler.specs.inputs.scan import DECODE_ERRORS, request
from reconciler.text.plural import pluralize

MAX_KINDS: Final = 20
"""Kinds of mistakes of one input that are reported."""
HINT: Final = "the API rejects such a request"


class MistakeKind(Struct):
    """One kind of mistake in one input."""

    first: int
    """The line or the position of the first one."""
    number: int = 0


def kinds(endpoint: str, bodies: Iterable[tuple[int, Mapping[str, Any]]]) -> dict[str, MistakeKind]:
    """Return the kinds of mistakes, by their words: how often each occurs, and first at which line or position."""
    found: dict[str, MistakeKind] = {}
    for at, body in bodies:
        named = (f"`{it.where}` {it.what}" for it in mistakes.mistakes(endpoint, body) if not it.lacks)
        for words in dict.fromkeys(named):
            if words in found or len(found) < MAX_KINDS:
                found.setdefault(words, MistakeKind(at)).number += 1
    return found


def counted(words: str, kind: MistakeKind, unit: str) -> str:
    """Return a message for one kind of mistake."""
    return words if kind.number == 1 else f"{words} ({pluralize(kind.number, unit)})"


def in_lines(path: str, endpoint: str, texts: Iterable[Text]) -> list[Problem]:
    """Return a warning for each kind of mistake in the lines of a file."""
    found = kinds(endpoint, _bodies(texts))
    return [
        Problem(path=path, line=kind.first, message=counted(words, kind, "line"), hint=HINT, warning=True)
        for words, kind in found.items()
    ]


def _bodies(texts: Iterable[Text]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = (line for text in texts for line in split(text))
    for number, line in enumerate(lines, start=1):
        if len(line) <= MAX_LENGTH:
            with suppress(*DECODE_ERRORS):
                yield number, request(line)[1]

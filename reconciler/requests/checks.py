"""Check answers: whether they were cut off, and whether they are what the request's `response_format` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from reconciler.requests.asked import FIRST_SCHEMA, TEXT, UNKNOWN
from reconciler.requests.contents import Contents
from reconciler.requests.patterns import Patterns
from reconciler.requests.schema import UncheckedError, Validation

KINDS: Final = ("valid", "unchecked", "truncated", "invalid")
"""Verdicts, the best first. An unchecked answer counts as valid."""
VALID: Final = 0
UNCHECKED: Final = 1
TRUNCATED: Final = 2
INVALID: Final = 3
MAX_TEXT: Final = 10_000_000
"""Characters of an answer that is checked."""


class Checker:
    """Checks the answers of one job by the JSON schemas that its requests ask for, given as JSON."""

    def __init__(self, schemas: Sequence[bytes], patterns: Patterns) -> None:
        self._schemas = [msgspec.json.decode(schema) for schema in schemas]
        self._patterns = patterns

    def check(self, contents: Contents, form: int) -> tuple[int, str]:
        """Return the verdict on an answer, and why it is invalid or unchecked; the form is that of `asked.Asked`."""
        if contents.truncated:
            return TRUNCATED, ""
        if form == TEXT:
            return VALID, ""
        texts = list(contents.texts())
        if form == UNKNOWN or not texts:
            return UNCHECKED, ""
        verdicts = [self._text(text, form) for text in texts]
        return max(verdicts)

    def _text(self, text: str | None, form: int) -> tuple[int, str]:
        if text is None or len(text) > MAX_TEXT:
            return UNCHECKED, ""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeError):
            return INVALID, "invalid: not JSON"
        except RecursionError:
            return UNCHECKED, "unchecked: nested too deeply"
        if form < FIRST_SCHEMA:
            return VALID, ""
        try:
            problem = Validation(self._schemas[form - FIRST_SCHEMA], self._patterns.search).problem(value)
        except UncheckedError as unchecked:
            return UNCHECKED, f"unchecked: {unchecked}"
        return (INVALID, f"invalid: {problem}") if problem else (VALID, "")

"""What is wrong with the lines of one input file: the first of it line by line, the rest counted by kind.

A file of a million lines can hold a million mistakes, mostly one mistake a million times. No finding repeats what
a line says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Final

from msgspec import Struct

from reconciler.errors import Problem

MOST: Final = 20
"""Findings of one file that are shown."""
COUNTED: Final = 10_000
"""Findings of one file that are counted: a file of line feeds alone must not keep anybody for minutes."""

_ONE_LINE: Final = 'a line is one request: `{"custom_id": "1", "body": {…}}`'
_ID: Final = "answers are found by it: give each request its own"


class Kind(Enum):
    """A kind of finding: what it says, and the next step."""

    BOM = "the file begins with a byte order mark", "save it as UTF-8 without one"
    CRLF = (
        "the lines end in CRLF",
        "save the file with LF; in .gitattributes, `*.jsonl -text` keeps git from changing it",
    )
    EMPTY_FILE = "the file is empty", "write one line a request"
    EMPTY_LINE = "an empty line", "remove it"
    NOT_UTF8 = "not UTF-8", "save the file as UTF-8"
    NOT_JSON = "not JSON from here on", _ONE_LINE
    TWO_VALUES = "more than one value", _ONE_LINE
    NOT_A_NUMBER = "NaN and Infinity are not JSON", "write a number or null"
    HUGE_NUMBER = "a number too large for most readers of JSON", "put it in quotes if it is an id"
    NUL = "a NUL character", "remove it; JSON writes it as `\\u0000`"
    SAME_KEY = "a key stands twice in one object", "remove one of them: which one counts, each reader decides"
    UNKNOWN_KEY = (
        "a key beside `custom_id` and `body`",
        "remove it; the job names endpoint and model, and every parameter belongs in `body`",
    )
    LACKS = "the body lacks a field", "without it the API refuses the request"
    OTHER_MODEL = (
        "`body.model` is not the job's model",
        "leave `model` out of the body, or declare a job for it: a job has one model",
    )
    HALF_CHARACTER = "half a character (a lone surrogate such as `\\ud83d`)", "write the whole character"
    TOO_DEEP = "nests too deep", "flatten it"
    REFUSED = "not a request, or not JSON", _ONE_LINE
    NOT_AN_OBJECT = "not an object", _ONE_LINE
    NO_BODY = "`body` is missing", _ONE_LINE
    BAD_BODY = "`body` is not an object", _ONE_LINE
    NO_ID = "`custom_id` is missing", _ID
    BAD_ID = "`custom_id` is not text", "put it in quotes"
    EMPTY_ID = "`custom_id` is empty", _ID
    SAME_ID = "`custom_id` was used before", _ID
    TOO_LONG = "the line is too long", "raise `limits.line_bytes` in reconciler.yaml if it is meant"
    TOO_LARGE = "the file is too large", "split it, or raise `limits.file_bytes` in reconciler.yaml"
    UNREADABLE = "the file cannot be read", ""
    CHANGED = "the file changed while it was read", "run again once it is at rest"

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint


_OF_THE_FILE: Final = frozenset({Kind.BOM, Kind.CRLF})
"""Told once, however many lines have it."""


class Finding(Struct, frozen=True):
    """One thing wrong in one line."""

    kind: Kind
    line: int = 0
    column: int = 0
    more: str = ""
    """What is added to the message."""
    custom_id: str | None = None
    """For SAME_ID: which; it is looked up, never shown."""


class Findings:
    """Collects what is wrong in one file, in the order of its lines."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: list[Finding] = []
        self._rest: Counter[Kind] = Counter()
        self._rest_from = 0
        self._number = 0

    @property
    def full(self) -> bool:
        """Whether reading on would tell nothing worth knowing."""
        return self._number >= COUNTED

    def add(self, finding: Finding) -> None:
        """Take one more finding."""
        if finding.kind in _OF_THE_FILE and any(known.kind is finding.kind for known in self._found):
            return
        self._number += 1
        if len(self._found) < MOST:
            self._found.append(finding)
        else:
            self._rest[finding.kind] += 1
            self._rest_from = self._rest_from or finding.line

    @property
    def repeated(self) -> frozenset[str]:
        """The custom_ids whose first use has to be named."""
        return frozenset(known.custom_id for known in self._found if known.custom_id is not None)

    def problems(self, first_uses: Mapping[str, str]) -> tuple[Problem, ...]:
        """Return the problems to show.

        Args:
            first_uses: where each of `repeated` was used first.
        """
        shown = tuple(self._problem(finding, first_uses) for finding in self._found)
        if not self._rest:
            return shown
        kinds = ", ".join(f"{kind.message} ({number:,})" for kind, number in self._rest.most_common())
        ended = "; then the reading ended" if self.full else ""
        message = f"and {self._rest.total():,} more from here on: {kinds}{ended}"
        return (*shown, Problem(path=self._path, line=self._rest_from, message=message))

    def _problem(self, finding: Finding, first_uses: Mapping[str, str]) -> Problem:
        first = first_uses.get(finding.custom_id or "")
        return Problem(
            path=self._path,
            line=finding.line,
            column=finding.column,
            message=finding.kind.message + (f", in {first}" if first else finding.more),
            hint=finding.kind.hint,
        )

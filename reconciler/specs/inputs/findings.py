"""Problems with the lines of one input file: the first are listed, the rest counted by kind.

A file of a million lines can have a million mistakes, mostly the same one. No finding repeats the contents of a line.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Final

from msgspec import Struct

from reconciler.errors import Problem
from reconciler.text.plural import pluralize

MAX_LISTED_PROBLEMS: Final = 20
"""Findings of one file that are listed."""
MAX_COUNTED_PROBLEMS: Final = 10_000
"""Stop after this many findings in a file: a file of empty lines would otherwise take minutes."""

_ONE_LINE: Final = 'each line is one request: `{"custom_id": "1", "body": {…}}`'
_CONVERT: Final = "write it as JSONL of `custom_id` and `body`: reconciler convert FILE -o NEW.jsonl"
_ID: Final = "it identifies the answer: give each request a unique one"


class FindingKind(Enum):
    """A kind of finding: its message and its hint."""

    BOM = "the file begins with a byte order mark", "save the file as UTF-8 without a byte order mark"
    CRLF = (
        "the lines end in CRLF",
        "save the file with LF; in .gitattributes, `*.jsonl -text` keeps git from changing it",
    )
    BINARY = "the file is not text", "extract it, or export it as JSONL: the API reads plain JSON lines"
    UTF16 = "the file is UTF-16, not UTF-8", "save it as UTF-8"
    CR = "the lines end in CR alone", "save the file with LF"
    ARRAY = "the file is one JSON array", _CONVERT
    PRETTY = "the file has requests that go over several lines", _CONVERT
    CSV = (
        "the file is CSV, not JSONL",
        "name it in `rows`, with `custom_id` and `body`: each row becomes a request",
    )
    PROVIDER = "the file is in the batch format", _CONVERT
    RESULTS = (
        "the file holds results, not requests",
        "name the file that was submitted; `reconciler outputs pull` fetches results",
    )
    EMPTY_FILE = "the file is empty", "write one request per line"
    EMPTY_LINE = "an empty line", "remove it"
    NOT_UTF8 = "not UTF-8", "save the file as UTF-8"
    NOT_JSON = "not valid JSON", _ONE_LINE
    TWO_VALUES = "more than one value on the line", _ONE_LINE
    NOT_A_NUMBER = "NaN and Infinity are not JSON", "write a number or null"
    HUGE_NUMBER = "a number too large for most JSON readers", "put it in quotes if it is an id"
    NUL = "a NUL character", "remove it; JSON writes it as `\\u0000`"
    SAME_KEY = (
        "a duplicate key in one object",
        "remove one of them: JSON readers disagree on which one counts",
    )
    UNKNOWN_KEY = (
        "a key other than `custom_id` and `body`",
        "remove it; endpoint and model belong in the spec, and parameters in `body`",
    )
    LACKS = "`body` lacks a field", "the API rejects a request without it"
    OTHER_MODEL = (
        "`body.model` is not the job's model",
        "remove `model` from `body`, or declare another job for it: a job has one model",
    )
    HALF_CHARACTER = "half a character (a lone surrogate such as `\\ud83d`)", "write the whole character"
    TOO_DEEP = "nested too deeply", "flatten it"
    REFUSED = "not a request, or not valid JSON", _ONE_LINE
    NOT_AN_OBJECT = "not an object", _ONE_LINE
    NO_BODY = "`body` is missing", _ONE_LINE
    BAD_BODY = "`body` is not an object", _ONE_LINE
    NO_ID = "`custom_id` is missing", _ID
    BAD_ID = "`custom_id` is not text", "put it in quotes"
    EMPTY_ID = "`custom_id` is empty", _ID
    SAME_ID = "`custom_id` was used before", _ID
    TOO_LONG = "the line is too long", "raise `limits.line_bytes` in reconciler.yaml if this is intended"
    UNREADABLE = "the file cannot be read", "make it readable"
    CHANGED = "the file changed while it was read", "run again once it no longer changes"

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint


_OF_THE_FILE: Final = frozenset({FindingKind.BOM, FindingKind.CRLF})
"""Kinds that are reported once per file."""
_OF_ALL_LINES: Final = frozenset({FindingKind.PROVIDER, FindingKind.RESULTS})
"""Kinds after which the other lines are not worth reading."""


class Finding(Struct, frozen=True):
    """One problem in one line."""

    kind: FindingKind
    line: int = 0
    column: int = 0
    more: str = ""
    """Text to append to the message."""
    custom_id: str | None = None
    """For SAME_ID: the id, to look up its first use; never shown."""


class Findings:
    """Collects the findings of one file, in the order of its lines."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: list[Finding] = []
        self._rest: Counter[FindingKind] = Counter()
        self._rest_from = 0
        self._stopped = False

    @property
    def full(self) -> bool:
        """Whether there are so many findings, or one of all lines, that reading can stop."""
        return self._stopped or len(self._found) + self._rest.total() >= MAX_COUNTED_PROBLEMS

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        if finding.kind in _OF_THE_FILE and any(known.kind is finding.kind for known in self._found):
            return
        self._stopped = self._stopped or finding.kind in _OF_ALL_LINES
        if len(self._found) < MAX_LISTED_PROBLEMS:
            self._found.append(finding)
        else:
            self._rest[finding.kind] += 1
            self._rest_from = self._rest_from or finding.line

    @property
    def repeated(self) -> frozenset[str]:
        """The repeated custom_ids among the listed findings."""
        return frozenset(known.custom_id for known in self._found if known.custom_id is not None)

    def problems(self, first_uses: Mapping[str, str]) -> tuple[Problem, ...]:
        """Return the problems to show. `first_uses` has the location of the first use of each id in `repeated`."""
        shown = tuple(self._problem(finding, first_uses) for finding in self._found)
        if not self._rest:
            return shown
        kinds = ", ".join(f"{kind.message} ({number:,})" for kind, number in self._rest.most_common())
        ended = ". Stopped reading" if self.full else ""
        message = f"{pluralize(self._rest.total(), 'more problem')} from here on: {kinds}{ended}"
        return (*shown, Problem(path=self._path, line=self._rest_from, message=message))

    def _problem(self, finding: Finding, first_uses: Mapping[str, str]) -> Problem:
        first = first_uses.get(finding.custom_id or "")
        return Problem(
            path=self._path,
            line=finding.line,
            column=finding.column,
            message=finding.kind.message + (f", in {first}" if first else finding.more),
            hint=finding.kind.hint.replace("FILE", shlex.quote(self._path)),
        )

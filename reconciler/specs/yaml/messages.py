"""Messages for errors of the YAML parser.

libyaml and PyYAML's pure parser report indicators, tokens and contexts, each in its own way. `parser_errors.json` maps
the errors of both to what is wrong in the text and how to fix it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct
from yaml.scanner import ScannerError

from reconciler.errors import Problem
from reconciler.specs.yaml.source import START, Place, SourceFile

INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Characters that a spec must not contain. YAML refuses most and treats others as line breaks; those that reverse the
reading direction show a reviewer a different text from the one that is parsed (https://trojansource.codes)."""

WRITE_CHARACTER: Final = "write the character itself, or `\\U0001F600` instead of two `\\u`"


NOT_A_CHARACTER: Final = "an escape that is not a valid character"
NO_TAGS: Final = "tags (`!…`) are not supported"
REMOVE_TAG: Final = "remove it: a spec contains plain values only"


class PureParser(yaml.SafeLoader):
    """The parser for a PyYAML that was built without libyaml: the same events, 15 times slower."""

    def get_event(self) -> Any:  # noqa: ANN401, D102 - PyYAML's events share no useful class
        try:
            return super().get_event()  # type: ignore[no-untyped-call]
        except (OverflowError, ValueError) as error:  # of `chr`, for an escape beyond Unicode
            raise ScannerError(
                None, None, "invalid Unicode character escape code", self.get_mark()
            ) from error


class _Row(Struct, frozen=True):
    parser_text: str
    """A part of the parser's context or problem; "" in the last row, which fits every error."""
    message: str
    hint: str
    at_opening: bool = False
    """True to point at the opening character, not at the place where the closing one is missing."""


_TOO_DEEP: Final = "maximum nesting"
_CANNOT_BEGIN: Final = "cannot start any token"


@cache
def _rows() -> tuple[_Row, ...]:
    """Return the table, of which the first row that fits an error counts."""
    table = Path(__file__).with_name("parser_errors.json")
    return msgspec.json.decode(table.read_bytes(), type=tuple[_Row, ...])


def parser_problem(source: SourceFile, error: yaml.YAMLError) -> Problem:
    """Return the problem for an error of the parser."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return unseen(source) or source.problem(START, _rows()[-1].message, hint=_rows()[-1].hint)
    place = Place(error.problem_mark.line, error.problem_mark.column)
    character = source.line(place)[place.column : place.column + 1]
    parser_text = f"{error.context} {error.problem}"
    if _CANNOT_BEGIN in parser_text and character != "\t":
        return source.problem(place, f"a value cannot begin with `{character}`", hint="put it in quotes")
    end = source.place_of(max(0, len(source.text.rstrip()) - 1))
    if "flow node" in parser_text and place >= end:
        return source.problem(end, "missing `]` or `}`", hint="close the list or mapping")
    if "',' or '" in parser_text and character == ":":
        return source.problem(place, "unexpected `:`", hint="put text that contains `: ` in quotes")
    row = next(row for row in _rows() if row.parser_text in parser_text)
    if row.at_opening and (opening := error.context_mark):
        place = Place(opening.line, opening.column)
    return source.problem(place, row.message, hint=row.hint)


def too_deep_at(source: SourceFile, error: yaml.YAMLError) -> int:
    """Return the offset at which libyaml stopped because of its own limit on levels, 0 for another error.

    libyaml 0.2.6 reads 1,000 levels, more than the maximum of `limits.spec_depth`. It looks ahead for a `:`, so it
    can stop before it returns the events whose levels are counted. For the text before the offset it returns them all.
    """
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return 0
    end = error.problem_mark.index
    return end if _TOO_DEEP in f"{error.problem}" and end < len(source.text) else 0


def unseen(source: SourceFile) -> Problem | None:
    """Return the problem with the first character that a spec must not contain, None if there is none."""
    found = INVISIBLE.search(source.text)
    if found is None:
        return None
    code = f"{ord(found[0]):04x}"
    message = f"the invisible character U+{code.upper()} is not allowed"
    hint = f'remove it, or write `"\\u{code}"` if it is intended'
    return source.problem(source.place_of(found.start()), message, hint=hint)

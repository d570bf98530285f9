"""What the YAML parser stumbled over, in our own words.

libyaml and PyYAML's pure parser speak of indicators, tokens and contexts, and each in its own way. The table
below says for both what a person wrote wrong and how to write it right.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import yaml

from reconciler.specs.yaml.source import START, Place, Source

UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Characters that may not stand in a spec: YAML refuses most and takes others for line breaks, and those that turn the
reading direction around show a reviewer another text than the one that is read (https://trojansource.codes)."""

WRITE_CHARACTER: Final = "write the character itself, or `\\U0001F600` in place of two `\\u`"


class Told(NamedTuple):
    """Where, what, and the next step."""

    place: Place
    message: str
    hint: str


class _Row(NamedTuple):
    said: str
    """Part of what the parser says, in its context or its problem."""
    message: str
    hint: str
    at_opening: bool = False
    """True where what was opened is to be shown, not where it was missed."""


_TOO_DEEP: Final = "maximum nesting"

_ROWS: Final = (
    _Row(_TOO_DEEP, "more levels deep than the YAML parser reads", "nest less"),
    _Row(
        "mapping values are not allowed",
        "a `:` that cannot stand here",
        "put text that holds `: ` in quotes, and align a field with its neighbours",
    ),
    _Row(
        "sequence entries are not allowed",
        "a list item cannot begin on this line",
        "begin it on a line of its own",
    ),
    _Row("mapping keys are not allowed", "a `?` that cannot stand here", "put the text in quotes"),
    _Row("tab character", "a tab in the indentation", "indent with spaces"),
    _Row("unknown escape", "an escape that YAML does not know", "write `\\\\` for a backslash, or use '…'"),
    _Row("Unicode character escape", "an escape that is not a character", WRITE_CHARACTER),
    _Row("an anchor", "`&` begins an anchor and needs a name", "put the text in quotes"),
    _Row("an alias", "`*` begins an alias and needs a name", "put the text in quotes"),
    _Row("unexpected end of stream", "a quote that is never closed", "close it", at_opening=True),
    _Row("unexpected document", "a quote that is not closed before `---`", "close it", at_opening=True),
    _Row("',' or ']'", "a `[` that is not closed, or a missing `,`", "close it with `]`", at_opening=True),
    _Row("',' or '}'", "a `{` that is not closed, or a missing `,`", "close it with `}`", at_opening=True),
    _Row(
        "could not find expected ':'", "a field without its `:`", "write it as `name: value`", at_opening=True
    ),
    _Row("incompatible YAML", "another version of YAML", "leave the `%YAML` line out"),
    _Row("directive", "a directive that YAML does not know", "leave the line that begins with `%` out"),
    _Row("tag", "a tag (`!…`) is not taken", "leave it out: a spec holds plain values only"),
    _Row(
        "decimal number",
        "an escape without all of its digits",
        "write `\\\\` for a backslash, or use '…'",
    ),
    _Row("node content", "a value cannot begin here", "put it in quotes"),
    _Row(
        "<document start>",
        "a document cannot begin here without `---`",
        "write `---` on the line above, or check the brackets and the indentation",
    ),
    _Row("block scalar", "text after `|` or `>`", "begin the text on the next line"),
    _Row(
        "'-' indicator",
        "this does not continue the list above it",
        "begin it with `- `, or check the indentation",
    ),
    _Row(
        "block",
        "this does not continue what stands above it",
        "check the indentation, or put the text in quotes",
    ),
)
_CANNOT_BEGIN: Final = "cannot start any token"


def told(source: Source, error: yaml.YAMLError) -> Told:
    """Return what to say about what the parser raised."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        unseen = UNSEEN.search(source.text)
        return unseen_at(source, unseen) if unseen else _otherwise(START)
    place = Place(error.problem_mark.line, error.problem_mark.column)
    said = f"{error.context} {error.problem}"
    if _CANNOT_BEGIN in said:
        return _cannot_begin(source, place)
    end = source.place_of(max(0, len(source.text.rstrip()) - 1))
    if "flow node" in said and place >= end:
        return Told(end, "a `[` or `{` that is not closed", "close it")
    row = next((row for row in _ROWS if row.said in said), None)
    if row is None:
        return _otherwise(place)
    opening = error.context_mark if row.at_opening else None
    return Told(Place(opening.line, opening.column) if opening else place, row.message, row.hint)


def too_deep_at(source: Source, error: yaml.YAMLError) -> int:
    """Return the offset at which libyaml stopped because of its own count of levels, 0 for another error.

    libyaml 0.2.6 reads 1,000 levels, more than `limits.spec_depth` may be. It looks ahead for a `:`, so that it
    can stop before it has given the events from which we count. Of the text before the offset it gives all events.
    """
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return 0
    end = error.problem_mark.index
    return end if _TOO_DEEP in f"{error.problem}" and end < len(source.text) else 0


def unseen_at(source: Source, found: re.Match[str]) -> Told:
    """Return what to say about a character that may not stand in a spec."""
    code = f"{ord(found[0]):04x}"
    message = f"the invisible character U+{code.upper()} may not stand in a spec"
    return Told(
        source.place_of(found.start()), message, f'remove it, or write `"\\u{code}"` where it is meant'
    )


def _cannot_begin(source: Source, place: Place) -> Told:
    character = source.line(place)[place.column : place.column + 1]
    if character == "\t":
        return Told(place, "a tab in the indentation", "indent with spaces")
    return Told(place, f"a value cannot begin with `{character}`", "put it in quotes")


def _otherwise(place: Place) -> Told:
    return Told(place, "not YAML from here on", "put text with special characters in quotes")

"""What the YAML parser stumbled over, in our own words.

libyaml and PyYAML's pure parser speak of indicators, tokens and contexts, and each in its own way. The table
below says for both what a person wrote wrong and how to write it right.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from reconciler.specs.source import Place, Source

UNSEEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Characters that may not stand in a spec: YAML refuses most, and takes the others for line breaks."""

WRITE_CHARACTER: Final = "write the character itself, or `\\U0001F600` in place of two `\\u`"

_WORDS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "mapping values are not allowed",
        "a `:` that cannot stand here",
        "put text that holds `: ` in quotes, and align a field with its neighbours",
    ),
    (
        "sequence entries are not allowed",
        "a list item cannot begin on this line",
        "begin the first `- ` on a line of its own",
    ),
    (
        "unknown escape character",
        "an escape that YAML does not know",
        "write `\\\\` for a backslash, or use '…'",
    ),
    (
        "Unicode character escape",
        "an escape that is not a character",
        WRITE_CHARACTER,
    ),
    ("an anchor", "`&` begins an anchor and needs a name", "put the text in quotes"),
    ("an alias", "`*` begins an alias and needs a name", "put the text in quotes"),
    ("end of stream", "a quote that is never closed", "close it"),
    ("document indicator", "a quote that is not closed before `---`", "close it"),
    ("',' or ']'", "a `[` that is not closed, or a missing `,`", "close it with `]`"),
    ("',' or '}'", "a `{` that is not closed, or a missing `,`", "close it with `}`"),
    ("could not find expected ':'", "a field without its `:`", "write it as `name: value`"),
    ("incompatible YAML", "another version of YAML", "leave the `%YAML` line out"),
    ("directive", "a directive that YAML does not know", "leave the line that begins with `%` out"),
    ("tag", "a tag (`!…`)", "leave it out: a spec holds plain values only"),
    ("node content", "a value cannot begin here", "put it in quotes"),
    (
        "key",
        "this does not continue what stands above it",
        "check the indentation, or put the text in quotes",
    ),
    (
        "'-' indicator",
        "this does not continue the list above it",
        "begin it with `- `, or check the indentation",
    ),
    ("block end", "this does not continue what stands above it", "check the indentation"),
    ("comment or line break", "text after `|` or `>`", "begin the text on the next line"),
    ("indentation indicator", "text after `|` or `>`", "begin the text on the next line"),
)
_NO_VALUE: Final = "cannot start any token"
_STOP: Final = ("not YAML from here on", "put text with special characters in quotes")


def told(source: Source, error: yaml.YAMLError) -> tuple[Place, str, str]:
    """Return the place, the message and the hint for what the parser raised."""
    unseen = UNSEEN.search(source.text)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return unseen_at(source, unseen) if unseen else (Place(0, 0), *_STOP)
    mark, said = error.problem_mark, f"{error.context} {error.problem}"
    place = Place(mark.line, mark.column)
    if _NO_VALUE in said:
        return place, *_cannot_begin(source, place)
    opened = error.context_mark
    for words, message, hint in _WORDS:
        if words in said:
            if opened is not None and "close" in hint:
                return Place(opened.line, opened.column), message, hint
            return place, message, hint
    return place, *_STOP


def unseen_at(source: Source, found: re.Match[str]) -> tuple[Place, str, str]:
    """Return the place, the message and the hint for a character that may not stand in a spec."""
    code = ord(found[0])
    return (
        source.place_of(found.start()),
        f"the invisible character U+{code:04X} may not stand in a spec",
        f'remove it, or write `"\\u{code:04x}"` where it is meant',
    )


def _cannot_begin(source: Source, place: Place) -> tuple[str, str]:
    character = source.text.splitlines()[place.line][place.column : place.column + 1]
    if character == "\t":
        return "a tab in the indentation", "indent with spaces"
    return f"a value cannot begin with `{character}`", "put it in quotes"

"""The text of a file: decoded strictly, with problems that show a position and an excerpt."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from functools import cached_property
from typing import Final, NamedTuple

from reconciler.errors import Problem, SpecError

_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")
MAX_PROBLEMS: Final = 1000
"""Maximum number of errors in one file before the rest of it is not checked."""
_UTF16_MARKS: Final = (BOM_UTF16_BE, BOM_UTF16_LE)


class Place(NamedTuple):
    """A position in a text; both count from 0, as in the parser."""

    line: int
    column: int


START: Final = Place(0, 0)


class Quote(NamedTuple):
    """What problems may show of a file. The default is everything: for text that comes from no file of a checkout."""

    quotable: Callable[[str], bool] = lambda _: True
    """Returns whether the lines of the file at a path may be shown."""
    redact: Callable[[str], str] = str
    """Returns a text without the API key."""


QUOTE_ALL: Final = Quote()


class SourceFile:
    """The text of one file, without a byte order mark, and its path as in a `Problem`."""

    def __init__(self, path: str, text: str, quote: Quote = QUOTE_ALL) -> None:
        self.path = path
        self.text = text
        self.quote = quote
        self._errors: dict[Problem, None] = {}
        self._excerpts: dict[int, str] = {}

    @cached_property
    def _lines(self) -> list[str]:
        return _LINE_BREAK.split(self.text)

    def line(self, place: Place) -> str:
        """Return the line at `place`, "" beyond the end."""
        return self._lines[place.line] if place.line < len(self._lines) else ""

    def problem(
        self, place: Place | None, message: str, *, hint: str = "", warning: bool = False, show: bool = True
    ) -> Problem:
        """Return a problem at a place, or of the file as a whole; with a warning, the file is still usable.

        Do not show a line that may contain a prompt. Raises `SpecError`, with the errors of the file, if there are more
        than `MAX_PROBLEMS`.
        """
        line, column = (place.line + 1, place.column + 1) if place else (0, 0)
        excerpt = self._excerpt(place) if place and show else ""
        problem = Problem(
            path=self.path,
            line=line,
            column=column,
            message=self.quote.redact(message),
            hint=self.quote.redact(hint),
            excerpt=excerpt,
            warning=warning,
        )
        if not warning:
            self._errors[problem] = None
            if len(self._errors) > MAX_PROBLEMS:
                raise SpecError(tuple(sorted(self._errors)))
        return problem

    def _excerpt(self, place: Place) -> str:
        """Return what may be shown of a line: computed once, because a line may be as long as the file."""
        if place.line not in self._excerpts:
            text = "" if place.line in self._prompts else self.line(place)
            shown = text and self.quote.quotable(self.path)
            self._excerpts[place.line] = self.quote.redact(text) if shown else ""
        return self._excerpts[place.line]

    @cached_property
    def _prompts(self) -> frozenset[int]:
        """The lines below `requests:`, judged by their indentation without a parser."""
        found, below = set(), False
        for number, line in enumerate(self._lines):
            if line[:1] not in ("", " ", "\t", "#", "-"):
                below = line.startswith(("requests:", "{", "["))
            if below:
                found.add(number)
        return frozenset(found)

    def place_of(self, offset: int) -> Place:
        """Return the place of the character at `offset`."""
        before = _LINE_BREAK.split(self.text[:offset])
        return Place(len(before) - 1, len(before[-1]))


def decode(path: str, data: bytes, quote: Quote) -> SourceFile | Problem:
    """Return the text of a file, or a problem if it is not UTF-8."""
    body = data.removeprefix(BOM_UTF8)
    try:
        return SourceFile(path, body.decode(), quote)
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16_MARKS):
            return Problem(path=path, message="the file is UTF-16, not UTF-8", hint="save it as UTF-8")
        before = _LINE_BREAK.split(body[: error.start].decode())
        offset = error.start + len(data) - len(body)
        return Problem(
            path=path,
            line=len(before),
            column=len(before[-1]) + 1,
            message=f"the byte 0x{data[offset]:02x} at offset {offset:,} is not UTF-8",
            hint="save the file as UTF-8",
        )

"""Check answers: whether they were cut off, and whether they are what the request's `response_format` asks for.

Regular expressions are searched for in a process that is ended if one takes too long: a pattern such as `^(a+)+$` can
take longer than the universe exists, and Python cannot interrupt it. Patterns are Python's; those of ECMA-262 that
models get are nearly always the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Final

import msgspec

from reconciler.child_environment import child_environment
from reconciler.requests.asked import FIRST_SCHEMA, TEXT, UNKNOWN
from reconciler.requests.contents import Contents
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


MAX_SECONDS: Final = 2.0
"""Time for one search. A pattern that takes longer is not searched for again."""
_CHILD: Final = """
import faulthandler, json, re, sys
for line in sys.stdin.buffer:
    faulthandler.dump_traceback_later(float(sys.argv[1]), exit=True)
    pattern, text = json.loads(line)
    try:
        found = str(int(re.search(pattern, text) is not None))
    except Exception:
        found = "?"
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(found + "\\n")
    sys.stdout.flush()
"""
"""The process ends itself after a search that takes too long, so it does not outlive this one either."""


class Patterns(AbstractContextManager["Patterns"]):
    """Searches texts, each for at most `max_seconds`. Not for several threads at a time.

    Use it in a `with` statement, which ends the process.
    """

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        self._max_seconds = max_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up: set[str] = set()

    def __exit__(self, *_: object) -> None:
        self._end()

    def search(self, pattern: str, text: str) -> bool | None:
        """Return whether a pattern is found in a text; None if that took too long, or the pattern is invalid."""
        if pattern in self._given_up:
            return None
        process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        with suppress(OSError):
            process.stdin.write(msgspec.json.encode([pattern, text]) + b"\n")
            process.stdin.flush()
        found = process.stdout.readline().strip()
        if found in (b"0", b"1"):
            return found == b"1"
        self._given_up.add(pattern)
        if not found:
            self._end()
        return None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with the text above
            [sys.executable, "-I", "-S", "-c", _CHILD, str(self._max_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(os.environ),
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError):
                process.communicate()

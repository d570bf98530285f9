"""Find regular expressions of a schema in answers, in a process that is ended if one takes too long.

A pattern such as `^(a+)+$` can take longer than the universe exists, and Python cannot interrupt it. Patterns are
Python's; those of ECMA-262 that models get are nearly always the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from typing import Final

import msgspec

from reconciler.child_environment import child_environment

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

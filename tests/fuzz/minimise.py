"""Make a failing case smaller while it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fuzz.case import Case

TRIES = 250


def minimise(case: Case, fails: Callable[[Case], bool], *, tries: int = TRIES) -> Case:
    """Return a smaller case for which `fails` still holds: fewer commands, files and changed answers, shorter files."""
    changed = True
    while changed and tries > 0:
        changed = False
        for smaller in _smaller(case):
            tries -= 1
            if fails(smaller):
                case, changed = smaller, True
                break
            if tries <= 0:
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Yield cases with one thing less, the largest things first."""
    for at in range(len(case.commands)):
        if len(case.commands) > 1:
            yield replace(case, commands=(*case.commands[:at], *case.commands[at + 1 :]))
    for path in case.files:
        yield replace(case, files={name: it for name, it in case.files.items() if name != path})
    for number in case.answers:
        yield replace(case, answers={at: seed for at, seed in case.answers.items() if at != number})
    for path, content in case.files.items():
        if isinstance(content, bytes):
            for size in _sizes(len(content)):
                for at in range(0, len(content), size):
                    yield replace(case, files={**case.files, path: content[:at] + content[at + size :]})


def _sizes(length: int) -> Iterator[int]:
    """Yield the half, the quarter and so on."""
    while length > 1:
        length = (length + 1) // 2
        yield length

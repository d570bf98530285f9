"""Find the requests of a new job that will fail: those that ask for it, and those whose body has plain mistakes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from reconciler.catalogue import mistakes
from reconciler.sandbox import contents, inputs
from reconciler.sandbox.inputs import InputSummary


def failing(db: sqlite3.Connection, parts: Sequence[tuple[int, InputSummary]], endpoint: str) -> list[int]:
    """Return the positions of the requests that will fail, ascending.

    Args:
        db: a transaction.
        parts: each input's content and summary, in order; without malformed lines.
        endpoint: the job's endpoint.
    """
    found, begin = set[int](), 0
    for content, summary in parts:
        found.update(begin + position for position in summary.failing)
        if endpoint not in summary.fitting:
            found.update(begin + position for position in _mistaken(db, content, endpoint))
        begin += summary.requests
    return sorted(found)


def _mistaken(db: sqlite3.Connection, content: int, endpoint: str) -> Iterator[int]:
    for position, request in enumerate(inputs.requests(contents.lines_within(db, content))):
        if any(mistakes.mistakes(endpoint, request.body)):
            yield position

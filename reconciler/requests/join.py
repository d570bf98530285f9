"""Join the answers of one work with its requests, by the indexes: bodies are copied in the order of the inputs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.requests import answers
from reconciler.requests.answered import AnswersIndex
from reconciler.requests.answers import Outcome, joined_line, understood
from reconciler.requests.asked import AskedIndex
from reconciler.requests.checks import INVALID, KINDS
from reconciler.requests.keys import Places

WRITE_BYTES: Final = 1 << 20
"""Bytes per write, exceeded by at most one line."""
MAX_LISTED: Final = 20
"""Maximum number of custom_ids in a list of a summary."""
_MISSING: Final = Outcome("", answers.MISSING, b"null")
_CHECKS: Final = [b'"%b"' % kind.encode() for kind in KINDS]


class Part(Struct, frozen=True, kw_only=True):
    """The results of one job of the work."""

    job_id: str
    asked: AskedIndex
    answered: AnswersIndex
    files: Mapping[int, Path]
    """The result files by their numbers in the index."""


class Joined(Struct):
    """The numbers of a join."""

    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    """Requests by kind."""
    verdicts: Counter[int] = msgspec.field(default_factory=Counter)
    """Answers by verdict."""
    first: dict[str, list[str]] = msgspec.field(
        default_factory=lambda: {"failed": [], "missing": [], "invalid": []}
    )
    """The first custom_ids of those kinds, at most `MAX_LISTED`."""
    jobs: set[str] = msgspec.field(default_factory=set)
    """The ids of the jobs whose outcomes are joined."""

    def note(self, custom_id: bytes, what: str) -> None:
        """Add a custom_id to a list."""
        if len(self.first[what]) < MAX_LISTED:
            self.first[what].append(msgspec.json.decode(custom_id, type=str))


def join(
    parts: Sequence[Part], order: AskedIndex, heartbeat: Callable[[], None], joined: Joined
) -> Iterator[bytes]:
    """Yield the lines of the joined results, several at a time, and add their numbers to `joined`.

    `parts` are the jobs, the oldest first. `order` is what one of them was asked: the requests in their order. Raises
    `OSError` if a file cannot be read.
    """
    with ExitStack() as stack:
        sources = [_Source(part, order, stack) for part in parts]
        lines: list[bytes] = []
        size = 0
        for at, custom_id in enumerate(order.ids()):
            source, place = _best(sources, at)
            if source is not None:
                line = source.line(custom_id, place, joined)
            else:
                line = joined_line(_MISSING, custom_id, job=b"null")
                joined.kinds[answers.MISSING] += 1
                joined.note(custom_id, "missing")
            lines.append(line)
            size += len(line)
            if size >= WRITE_BYTES:
                heartbeat()
                yield b"".join(lines)
                lines, size = [], 0
        yield b"".join(lines)


def _best(sources: Sequence[_Source], at: int) -> tuple[_Source | None, int]:
    """Return the job with the best outcome of a request, and the request's place there.

    Of answers that are as good the oldest counts, of other outcomes the newest.
    """
    if len(sources) == 1:
        source = sources[0]
        place = source.place(at)
        return (source, place) if place is not None and source.answered.file[place] else (None, 0)
    best: _Source | None = None
    best_place, best_rank = 0, -1
    for source in sources:
        place = source.place(at)
        rank = -1 if place is None else source.answered.rank(place)
        if place is not None and (rank > best_rank or rank == best_rank == 0):
            best, best_place, best_rank = source, place, rank
    return best, best_place


def _places(own: AskedIndex, order: AskedIndex) -> array[int] | None:
    """Return 1 plus the place of each request of the work in a job, or 0; None if the places are the same.

    Requests are compared by their keys if both indexes have them, else by their custom_ids.
    """
    places: Iterable[int | None]
    if own is order:
        return None
    if own.keys and order.keys:
        places = Places(order.keys).of(own.keys)
    else:
        table = {custom_id: at for at, custom_id in enumerate(order.ids())}
        places = map(table.get, own.ids())
    found = array("I", bytes(4 * order.count))
    for at, place in enumerate(places, start=1):
        if place is not None:
            found[place] = at
    return found


class _Source:
    """One job, with its files open."""

    def __init__(self, part: Part, order: AskedIndex, stack: ExitStack) -> None:
        self.answered = part.answered
        self._job_id, self._job = part.job_id, msgspec.json.encode(part.job_id)
        self._files: dict[int, BinaryIO] = {
            number: stack.enter_context(file_access.open_to_read(path, buffering=0))
            for number, path in part.files.items()
        }
        self._places = _places(part.asked, order)

    def place(self, at: int) -> int | None:
        """Return a request's place in this job; None if the job was not asked it."""
        if self._places is None:
            return at
        place = self._places[at]
        return place - 1 if place else None

    def line(self, custom_id: bytes, place: int, joined: Joined) -> bytes:
        """Return a request's line in the joined results."""
        index = self.answered
        file, kind = index.file[place], index.kinds[index.kind[place]]
        stream = self._files[file]
        stream.seek(index.start[place])
        data = stream.read(index.length[place])
        joined.kinds[kind] += 1
        joined.jobs.add(self._job_id)
        if kind == answers.OK:
            verdict = index.verdict[place]
            joined.verdicts[verdict] += 1
            if verdict == INVALID:
                joined.note(custom_id, "invalid")
            outcome = Outcome("", kind, data)
            return joined_line(outcome, custom_id, job=self._job, check=_CHECKS[verdict])
        joined.note(custom_id, "failed")
        return joined_line(understood(data, failed=file > 1), custom_id, job=self._job)

"""The outcome of each request of one job: the file and the place of its answer, and the verdict on it.

One pass over each result file notes the place and length of every body. On disk it is `answers.idx`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.requests import answers
from reconciler.requests.asked import Asked
from reconciler.requests.checks import KINDS, VALID, Checker
from reconciler.requests.contents import Contents, Usage, read_contents
from reconciler.requests.index_file import read_index, write_index
from reconciler.requests.lines import blocks

NAME: Final = "answers.idx"
FILES: Final = ("output.jsonl", "errors.jsonl")
"""The provider's files: answers, and failed requests."""
MAX_REASONS: Final = 1000
"""Different reasons of failed requests that are counted."""
_NO_REASON: Final = 0xFFFF


class Answered(Struct):
    """The outcome of every request of a job, and the numbers of all."""

    kinds: list[str] = msgspec.field(default_factory=lambda: [answers.OK])
    """Kinds of outcomes; the columns have positions in this list."""
    file: bytearray = msgspec.field(default_factory=bytearray)
    """0 for a request without a line, otherwise 1 plus a position in `FILES`."""
    kind: array[int] = msgspec.field(default_factory=lambda: array("H"))
    verdict: bytearray = msgspec.field(default_factory=bytearray)
    """Positions in `checks.KINDS`."""
    start: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    """The first byte of the body of an answer, and otherwise of the line."""
    length: array[int] = msgspec.field(default_factory=lambda: array("I"))
    why: array[int] = msgspec.field(default_factory=lambda: array("H"))
    reasons: list[str] = msgspec.field(default_factory=list)
    malformed: int = 0
    unnamed: Counter[str] = msgspec.field(default_factory=Counter)
    """Lines of the error file that name no request, by kind."""
    repeated: int = 0
    unknown: dict[str, bool] = msgspec.field(default_factory=dict)
    """Custom_ids that were not asked, with whether there is an answer."""
    usage: Usage = msgspec.field(default_factory=Usage)

    def grow(self, count: int) -> None:
        """Add requests without an answer."""
        self.file.extend(bytes(count))
        self.verdict.extend(bytes(count))
        for column in (self.kind, self.start, self.length, self.why):
            column.frombytes(bytes(count * column.itemsize))

    def write(self, path: Path, head: Mapping[str, Any]) -> None:
        """Write the index; `head` names the job and its result files. Raises `OSError`."""
        counts = {"requests": len(self.file), "kinds": self.kinds, "unnamed": self.unnamed}
        facts = {"index": "answers", **head, **counts}
        columns = ("start", "length", "kind", "file", "verdict")
        write_index(path, facts, {name: getattr(self, name) for name in columns})

    def counts(self) -> Counter[str]:
        """Count the requests by kind; those without a line are `MISSING`."""
        pairs = Counter(zip(self.kind, map(bool, self.file), strict=True))
        found: Counter[str] = Counter()
        for (kind, present), number in pairs.items():
            found[self.kinds[kind] if present else answers.MISSING] += number
        return found

    def why_failed(self) -> Counter[str]:
        """Count the reasons of failed requests and of invalid answers."""
        found = Counter(self.why)
        return Counter({text: found[at] for at, text in enumerate(self.reasons, start=1) if found[at]})


def read_answers(
    files: Mapping[str, Path],
    asked: Asked,
    checker: Checker,
    *,
    ordered: bool,
    longest: int,
    heartbeat: Callable[[], None],
) -> Answered:
    """Read the result files of a job that exist, given by their names in `FILES`.

    Without its inputs the job is not `ordered`: its requests are added to `asked` in the order of the answers.
    `longest` is the maximum of bytes of a line. Raises `OSError` if a file cannot be read.
    """
    reader = _Reader(asked, checker, ordered=ordered)
    for number, name in enumerate(FILES, start=1):
        if name in files:
            with file_access.open_to_read(files[name], buffering=0) as stream:
                at = 0
                for extra, lines in blocks(stream, longest=longest):
                    heartbeat()
                    for line in lines:
                        reader.line(line, at, number)
                        at += len(line) + 1 + extra
                        extra = 0  # noqa: PLW2901 - of the first line
    return reader.found


class _Reader:
    def __init__(self, asked: Asked, checker: Checker, *, ordered: bool) -> None:
        self.found = Answered()
        self.found.grow(len(asked.places))
        self._asked = asked
        self._checker = checker
        self._ordered = ordered
        self._kinds = {answers.OK: 0}
        self._reasons: dict[str, int] = {}

    def line(self, line: bytes, at: int, file: int) -> None:
        """Note one line of a result file."""
        found = self.found
        try:
            outcome = answers.understood(line, failed=file > 1)
        except answers.UnnamedError as error:
            found.unnamed[str(error)] += 1
            return
        except answers.DECODE_ERRORS:
            found.malformed += bool(line.strip())
            return
        place = self._place(outcome.custom_id)
        if place is not None and found.file[place]:
            found.repeated += 1
            before = found.kinds[found.kind[place]]
            if answers.RANK.get(outcome.kind, 0) <= answers.RANK.get(before, 0):
                return
        verdict, why, start, length = VALID, "", at, len(line)
        if outcome.kind == answers.OK:
            contents = self._used(outcome, place)
            if place is None:
                return
            form = self._asked.forms[place] if place < len(self._asked.forms) else 0
            verdict, why = self._checker.check(contents, form)
            start, length = at + line.index(outcome.data), len(outcome.data)
        elif place is None:
            return
        else:
            why = answers.reason(outcome)
        kind = self._kinds.get(outcome.kind)
        if kind is None:
            kind = self._kinds[outcome.kind] = len(found.kinds)
            found.kinds.append(outcome.kind)
        found.file[place], found.kind[place], found.verdict[place] = file, kind, verdict
        found.start[place], found.length[place] = start, length
        found.why[place] = self._reason(why) if why else 0

    def _used(self, outcome: answers.Outcome, place: int | None) -> Contents:
        """Add what an answer used, unless it is the second one for a request that was not asked."""
        contents, invalid = read_contents(outcome.data)
        sizes = self._asked.sizes
        if place is not None or not self.found.unknown[outcome.custom_id]:
            size = sizes[place] if place is not None and place < len(sizes) else 0
            self.found.usage.add(contents, invalid=invalid, size=size)
        if place is None:
            self.found.unknown[outcome.custom_id] = True
        return contents

    def _place(self, custom_id: str) -> int | None:
        """Return the position of a request; None if it was not asked."""
        places = self._asked.places
        place = places.get(custom_id)
        if place is None and not self._ordered:
            place = places[custom_id] = len(places)
            self.found.grow(1)
        elif place is None:
            self.found.repeated += custom_id in self.found.unknown
            self.found.unknown.setdefault(custom_id, False)
        return place

    def _reason(self, text: str) -> int:
        found = self._reasons.get(text)
        if found is None:
            if len(self._reasons) >= MAX_REASONS:
                return _NO_REASON
            self.found.reasons.append(text)
            found = self._reasons[text] = len(self._reasons) + 1
        return found


class AnswersIndex(Struct, frozen=True):
    """`answers.idx`, read."""

    head: Mapping[str, Any]
    kinds: list[str]
    start: array[int]
    length: array[int]
    kind: array[int]
    file: bytes
    verdict: bytes

    @property
    def unnamed(self) -> Mapping[str, int]:
        """Lines of the error file that name no request, by kind."""
        found: Mapping[str, int] = self.head.get("unnamed", {})
        return found

    def rank(self, at: int) -> int:
        """Return how good an outcome is: valid before truncated before invalid before none."""
        if not self.file[at]:
            return -1
        kind = self.kinds[self.kind[at]]
        if kind != answers.OK:
            return answers.RANK.get(kind, 0)
        return 1 + len(KINDS) - self.verdict[at]


def load(path: Path) -> AnswersIndex | None:
    """Read an index; None if there is none that this version can use."""
    found = read_index(path, "answers")
    if found is None:
        return None
    head, it = found
    start, length, kind = (
        array(code, it[name]) for code, name in zip("QIH", ("start", "length", "kind"), strict=True)
    )
    return AnswersIndex(head, head["kinds"], start, length, kind, it["file"], it["verdict"])

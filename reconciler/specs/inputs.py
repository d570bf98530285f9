"""JSONL input files: read once, as a stream, for their digest, their requests, and all that is wrong with them.

A malformed line that the provider finds after hours in a queue is the dearest mistake there is, so every line is
checked here. What a line says never appears in a problem, since it may be anybody's text; where it stands does.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec

from reconciler.errors import Problem
from reconciler.model import InputFile
from reconciler.settings import Limits
from reconciler.specs.findings import Finding, Findings, Kind
from reconciler.specs.lines import why

_BLOCK: Final = 4 * 1024 * 1024
"""Bytes that are read and hashed at a time."""


class _Body(msgspec.Struct):
    """Any object: the decoder checks that it is JSON and keeps nothing of it."""


class _Line(msgspec.Struct):
    custom_id: Annotated[str, msgspec.Meta(min_length=1)]
    body: _Body


_decode: Final = msgspec.json.Decoder(_Line).decode
_REFUSED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Checked:
    """An input file that was read."""

    file: InputFile
    problems: tuple[Problem, ...]
    """With any of these, reading may have ended early, and `file` is not to be used."""
    marks: array[int]
    """A hash of each custom_id: enough to suspect that two files share one."""


class InputReader:
    """Reads input files, each of them once."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._known: dict[str, Checked] = {}

    def read(self, path: str) -> Checked:
        """Return what was found in a file; `path` is relative to the root, with forward slashes."""
        if path not in self._known:
            self._known[path] = check(self._root / path, path, self._limits)
        return self._known[path]

    @property
    def paths(self) -> frozenset[str]:
        """Every file that was read."""
        return frozenset(self._known)

    def shared_ids(self, paths: Sequence[str]) -> list[Problem]:
        """Return the uses of a custom_id that a file before this one, of the same job, has used already."""
        seen: set[int] = set()
        suspects: set[int] = set()
        for path in paths:
            marks = set(self.read(path).marks)
            suspects |= seen & marks
            seen |= marks
        return self._confirmed(paths, suspects) if suspects else []

    def _confirmed(self, paths: Sequence[str], suspects: set[int]) -> list[Problem]:
        """Read the ids again: two of them may have one hash."""
        first: dict[str, str] = {}
        problems: list[Problem] = []
        for path in paths:
            findings = Findings(path)
            with (self._root / path).open("rb") as stream:
                for number, custom_id in _ids(stream, self._limits):
                    if hash(custom_id) in suspects:
                        used = first.setdefault(custom_id, f"{path}:{number}")
                        if not used.startswith(f"{path}:"):
                            findings.add(Finding(Kind.SAME_ID, number, custom_id=custom_id))
            problems += findings.problems(first)
        return problems


def check(file: Path, path: str, limits: Limits) -> Checked:
    """Read a file in one pass. Memory is bounded, but for its longest line and its custom_ids.

    Args:
        file: where it is.
        path: what it is called in problems.
        limits: how large it and its lines may be.
    """
    findings, marks, digest = Findings(path), array("q"), hashlib.sha256()
    size = requests = 0
    first: dict[str, str] = {}
    try:
        size = file.stat().st_size
        if size > limits.file_bytes:
            findings.add(Finding(Kind.TOO_LARGE, more=f": {size:,} bytes, at most {limits.file_bytes:,}"))
        else:
            with file.open("rb") as stream:
                lines = _lines(stream, limits.line_bytes, digest.update)
                requests = _check_lines(lines, limits.line_bytes, findings, marks)
                first = _first_uses(stream, findings.repeated, limits)
    except OSError as error:
        findings.add(Finding(Kind.UNREADABLE, more=f": {error.strerror}"))
    found = InputFile(path=path, sha256=digest.hexdigest(), size=size, requests=requests)
    return Checked(found, findings.problems(first), marks)


def _check_lines(lines: Iterator[bytes], longest: int, findings: Findings, marks: array[int]) -> int:
    """Check every line, and return how many there are."""
    ids: set[str] = set()
    number = 0
    for number, line in enumerate(lines, start=1):
        if len(line) > longest:
            findings.add(Finding(Kind.TOO_LONG, number, more=f": more than {longest:,} bytes"))
            return number
        try:
            custom_id = _decode(line).custom_id
            if not line.isascii():
                line.decode()  # the decoder does not look into the text of the body
        except _REFUSED:
            for finding in why(number, line):
                findings.add(finding)
            continue
        if line.endswith(b"\r"):
            findings.add(Finding(Kind.CRLF, number))
        known = len(ids)
        ids.add(custom_id)
        if len(ids) == known:
            findings.add(Finding(Kind.SAME_ID, number, custom_id=custom_id))
        marks.append(hash(custom_id))
    if not number:
        findings.add(Finding(Kind.EMPTY_FILE))
    return number


def _first_uses(stream: BinaryIO, wanted: frozenset[str], limits: Limits) -> dict[str, str]:
    """Return where each custom_id that is used twice is used first."""
    first: dict[str, str] = {}
    if wanted:
        stream.seek(0)
        for number, custom_id in _ids(stream, limits):
            if custom_id in wanted:
                first.setdefault(custom_id, f"line {number}")
    return first


def _ids(stream: BinaryIO, limits: Limits) -> Iterator[tuple[int, str]]:
    """Yield the custom_id of every good line with the line's number."""
    for number, line in enumerate(_lines(stream, limits.line_bytes, lambda _: None), start=1):
        with suppress(*_REFUSED):
            yield number, _decode(line).custom_id


def _lines(stream: BinaryIO, longest: int, see: Callable[[bytes], object]) -> Iterator[bytes]:
    """Yield the lines of a stream without their line feeds, and show each block that is read to `see`.

    A line longer than `longest` is cut and ends the reading.
    """
    rest = b""
    while block := stream.read(_BLOCK):
        see(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if len(rest) > longest:
            break
    if rest:
        yield rest

"""JSONL input files: read each once, as a stream, for its digest, its number of requests, and its problems.

A malformed line found by the provider after hours in the queue is the most expensive mistake, so every line is
checked here. A problem shows the position of a line but never its contents, which may be confidential.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.catalogue import mistakes
from reconciler.catalogue.bodies import BODIES
from reconciler.errors import Problem
from reconciler.file_access import open_to_read
from reconciler.model import InputFile
from reconciler.model.money import Workload
from reconciler.settings import Limits
from reconciler.specs.inputs.blocks import pieces
from reconciler.specs.inputs.cache import Entry, InputCache
from reconciler.specs.inputs.decode import requests
from reconciler.specs.inputs.diagnose import MAX_LENGTH
from reconciler.specs.inputs.findings import Finding, FindingKind, Findings
from reconciler.specs.inputs.formats import of_file
from reconciler.specs.inputs.requirements import FileFacts, Requirements
from reconciler.specs.inputs.scan import Scan, scan
from reconciler.telemetry.progress import UNWATCHED, Progress

MAX_POINTER_BYTES: Final = 1024
"""Maximum size of a Git LFS pointer: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,18})\n?"
)


class Checked(Struct, frozen=True):
    """An input file that was read."""

    file: InputFile
    problems: tuple[Problem, ...]
    """If there are any, reading may have stopped early, and `file` must not be used."""
    facts: FileFacts = FileFacts()
    marks: array[int] | None = None
    """A hash of each custom_id: two files with a common hash may share an id. None if it was not read."""


class InputReader:
    """Reads input files, each once."""

    def __init__(
        self,
        root: Path,
        limits: Limits,
        cache: InputCache | None = None,
        progress: Progress = UNWATCHED,
    ) -> None:
        self._root = root
        self._limits = limits
        self._cache = cache or InputCache(None)
        self._progress = progress
        self._known: dict[str, Checked] = {}
        self._mistakes: dict[tuple[str, str], list[Problem]] = {}

    def read(self, path: str) -> Checked:
        """Return the result for a file; `path` is relative to the root, with forward slashes."""
        if path not in self._known:
            self._known[path] = self._remembered(path) or self._read(path)
        return self._known[path]

    def save(self) -> None:
        """Cache the results for later runs."""
        self._cache.save()

    def _remembered(self, path: str) -> Checked | None:
        """Return the cached result of a file that has not changed and is within the current limits."""
        entry = self._cache.get(path, self._cache.stamp(self._root / path))
        if entry is None or (entry.file.workload or Workload()).longest > longest_line(self._limits):
            return None
        self._progress.advance("checking", entry.file.size)
        return Checked(entry.file, (), entry.facts)

    def _read(self, path: str) -> Checked:
        """Read a file, and cache the result if it has no problems."""
        stamp = self._cache.stamp(self._root / path)
        found = check(self._root / path, path, self._limits, progress=self._progress)
        if found.file.pointer:
            return replace(found, file=self.counted(found.file))
        if stamp and not found.problems:
            self._cache.put(Entry(stamp, found.file, found.facts))
        return found

    def counted(self, file: InputFile) -> InputFile:
        """Return a file whose content is not here, with what is known about its requests if it was here once."""
        known = self._cache.known(file.sha256)
        return replace(file, requests=known.requests, workload=known.workload) if known else file

    @property
    def paths(self) -> frozenset[str]:
        """Every file that was read."""
        return frozenset(self._known)

    def problems(self, paths: Sequence[str], requirements: Requirements) -> list[Problem]:
        """Return the mistakes in the files of a job."""
        found = [problem for path in paths for problem in self.read(path).problems]
        found += [problem for path in paths for problem in self.violations(path, requirements)]
        return found + self.shared_ids(paths)

    def violations(self, path: str, requirements: Requirements) -> tuple[Problem, ...]:
        """Return the lines of an otherwise valid file that do not meet a job's requirements."""
        checked, findings = self.read(path), Findings(path)
        if checked.problems or requirements.met(checked.facts):
            return ()
        for number, _, body in self._lines(path, findings):
            for finding in requirements.violations(number, body):
                findings.add(finding)
            if findings.full:
                break
        return findings.problems({})

    def plain_mistakes(self, path: str, endpoint: str) -> list[Problem]:
        """Return warnings about the bodies of an otherwise valid file, without those of lines too long to be decoded.

        Only if one of its first lines has a mistake, all lines are read again, to count.
        """
        checked = self.read(path)
        if checked.problems or endpoint not in BODIES or endpoint in checked.facts.fitting:
            return []
        if (path, endpoint) not in self._mistakes:
            lines = self._lines(path, Findings(path), MAX_LENGTH)
            found = mistakes.warnings(endpoint, ((number, body) for number, _, body in lines), "line")
            self._mistakes[path, endpoint] = [
                Problem(path=path, line=line, message=message, hint=mistakes.HINT, warning=True)
                for line, message in found
            ]
        return self._mistakes[path, endpoint]

    def shared_ids(self, paths: Sequence[str]) -> list[Problem]:
        """Return the problems with custom_ids that an earlier file of the same job already uses."""
        digests = tuple(sorted(self.read(path).file.sha256 for path in paths))
        if len(paths) <= 1 or digests in self._cache.apart:
            return []
        seen: set[int] = set()
        suspects: set[int] = set()
        for path in paths:
            if self._known[path].marks is None:
                self._known[path] = self._read(path)
            marks = set(self._known[path].marks or ())
            suspects |= seen & marks
            seen |= marks
        problems = self._confirmed(paths, suspects) if suspects else []
        if not problems and not any(it.problems or it.file.pointer for it in map(self.read, paths)):
            self._cache.apart.add(digests)
        return problems

    def _confirmed(self, paths: Sequence[str], suspects: set[int]) -> list[Problem]:
        """Compare the ids themselves: different ids may have the same hash."""
        first: dict[str, str] = {}
        problems: list[Problem] = []
        for path in paths:
            findings = Findings(path)
            for number, custom_id, _ in self._lines(path, findings):
                if hash(custom_id) in suspects:
                    used = first.setdefault(custom_id, f"{path}:{number}")
                    if not used.startswith(f"{path}:"):
                        findings.add(Finding(FindingKind.SAME_ID, number, custom_id=custom_id))
            problems += findings.problems(first)
        return problems

    def _lines(
        self, path: str, findings: Findings, longest: float = math.inf
    ) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
        """Read the valid lines of a file again, of at most `longest` bytes."""
        try:
            with open_to_read(self._root / path, buffering=0) as stream:
                yield from requests(pieces(stream, self._limits.line_bytes), longest)
        except OSError as error:
            findings.add(_unreadable(error))


def check(place: Path, path: str, limits: Limits, progress: Progress = UNWATCHED) -> Checked:
    """Read a file in one pass; problems call it `path`. Memory grows only with its longest line and its custom_ids."""
    findings, sha256, size = Findings(path), "", 0
    found = Scan(findings)
    first: dict[str, str] = {}
    try:
        with open_to_read(place, buffering=0) as stream:
            before = os.fstat(stream.fileno())
            size = before.st_size
            pointed = pointer_in(stream, size)
            if pointed:  # the content is not here: no line can be checked
                sha256, size = pointed
                file = InputFile(path=path, sha256=sha256, size=size, requests=None, pointer=True)
                return Checked(file, (), marks=array("q"))
            if form := of_file(stream, path):
                findings.add(form)
            else:
                longest = longest_line(limits)
                digest, on_progress = hashlib.sha256(), partial(progress.advance, "checking")
                texts = pieces(stream, longest, update=digest.update, on_progress=on_progress)
                found = scan(texts, longest, findings)
                sha256 = digest.hexdigest()
                first = _first_uses(stream, findings.repeated, limits)
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                findings.add(Finding(FindingKind.CHANGED))
    except OSError as error:
        findings.add(_unreadable(error))
    result = InputFile(path=path, sha256=sha256, size=size, requests=found.number, workload=found.workload)
    marks = array("q", map(hash, found.ids))
    return Checked(result, findings.problems(first), found.facts, marks)


def pointer_in(stream: BinaryIO, size: int) -> tuple[str, int] | None:
    """Return the digest and the size that a Git LFS pointer names; None for any other file of this size."""
    if size >= MAX_POINTER_BYTES:
        return None
    found = _POINTER.fullmatch(stream.read(MAX_POINTER_BYTES))
    stream.seek(0)
    return (found["oid"].decode(), int(found["size"])) if found else None


def longest_line(limits: Limits) -> int:
    """Return the maximum of bytes of a line: with its line feed it must fit into an uploaded file."""
    return min(limits.line_bytes, limits.file_bytes - 1)


def _unreadable(error: OSError) -> Finding:
    return Finding(FindingKind.UNREADABLE, more=f": {error.strerror}")


def _first_uses(stream: BinaryIO, wanted: frozenset[str], limits: Limits) -> dict[str, str]:
    """Return the line of the first use of each repeated custom_id."""
    first: dict[str, str] = {}
    if wanted:
        stream.seek(0)
        for number, custom_id, _ in requests(pieces(stream, limits.line_bytes)):
            if custom_id in wanted:
                first.setdefault(custom_id, f"line {number}")
    return first

"""Join the result files of a job with its inputs by custom_id, in the order of the inputs.

Two passes read each file once. The first turns each answer into its line of the joined results and writes it to a spool
file. The second reads the inputs and takes each request's line from the spool. Memory depends on the number of requests
and not on their size: a million take some 200 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from reconciler import file_access
from reconciler.results import answers
from reconciler.results.answers import Usage
from reconciler.results.digest import Digest, Fetched
from reconciler.results.download import PART
from reconciler.results.heartbeat import Heartbeat
from reconciler.results.lines import blocks
from reconciler.results.spool import Spool

SPOOL: Final = ".spool"
"""Suffix of the spool file."""
WRITE_BYTES: Final = 1 << 20
"""Bytes per write, exceeded by at most one line."""
MAX_LISTED_MISSING: Final = 20
"""Maximum number of missing custom_ids in the summary."""
MAX_REASONS: Final = 1000
"""Different reasons of failed requests that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinSources:
    """The files to join."""

    output: Path | None
    """The file of answers, if there is one."""
    errors: Path | None
    """The file of failed requests, if there is one."""
    inputs: Sequence[Path] | None
    """The files of requests in their order; None if they are not available: the answers then keep their own order."""
    longest: int
    """Maximum bytes of a line."""

    def answers(self) -> list[tuple[Path, bool]]:
        """Return the result files, answers before errors, each with whether it is the error file."""
        files = ((self.output, False), (self.errors, True))
        return [(path, failed) for path, failed in files if path is not None]


@dataclass(slots=True)
class Joined:
    """The numbers of a join."""

    ok: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Failed requests by kind."""
    requests: int | None = None
    """How many requests the inputs have; None without inputs."""
    missing: int = 0
    first_missing: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why requests failed, and how many; at most `MAX_REASONS` of them."""
    malformed: int = 0
    unnamed: int = 0
    repeated: int = 0
    unknown: int = 0
    usage: Usage = field(default_factory=Usage)


class _Request(msgspec.Struct, gc=False):
    custom_id: str


_decode_request: Final = msgspec.json.Decoder(_Request).decode


def join(sources: JoinSources, results: Path, heartbeat: Heartbeat) -> tuple[Joined, Fetched]:
    """Write the joined results, completely or not at all.

    Args:
        sources: the files to join.
        results: the file to write.
        heartbeat: called regularly; raises to stop.

    Raises:
        OSError: a file cannot be read or written.
    """
    joined = Joined()
    collecting = results.with_name(results.name + SPOOL)
    try:
        with file_access.recreate(collecting) as file:
            spool = Spool(file)
            for path, failed in sources.answers():
                with file_access.open_to_read(path, buffering=0) as stream:
                    _collect(
                        stream, spool, joined, failed=failed, longest=sources.longest, heartbeat=heartbeat
                    )
            asked = spool.custom_ids if sources.inputs is None else _asked(sources.inputs, sources.longest)
            written = _write(_taken(asked, spool.take, joined), results, heartbeat)
            kinds = spool.taken_by_kind()
            joined.ok = kinds.pop(answers.OK, 0)
            joined.failures = dict(sorted(kinds.items()))
            if sources.inputs is None:
                joined.requests = None
            joined.repeated = spool.repeated
            joined.unknown = sum(1 for _ in spool.custom_ids) - joined.ok - kinds.total()
    finally:
        collecting.unlink(missing_ok=True)
    return joined, written


def _collect(
    stream: BinaryIO, spool: Spool, joined: Joined, *, failed: bool, longest: int, heartbeat: Heartbeat
) -> None:
    """Add the lines of one result file to the spool."""
    understood, refused, add, null = answers.understood, answers.DECODE_ERRORS, spool.add, answers.NULL
    for lines in blocks(stream, longest=longest):
        heartbeat()
        for line in lines:
            try:
                custom_id, kind, text, body = understood(line, failed=failed)
            except answers.UnnamedError:
                joined.unnamed += 1
                continue
            except refused:
                joined.malformed += bool(line.strip())
                continue
            if add(custom_id, kind, text) and body is not null:
                joined.usage.add(body)
        spool.flush()


def _write(texts: Iterable[list[bytes]], results: Path, heartbeat: Heartbeat) -> Fetched:
    """Write the lines of the joined results."""
    part, digest = results.with_name(results.name + PART), Digest()
    try:
        with file_access.recreate(part) as file:
            for lines in texts:
                heartbeat()
                data = b"".join(lines)
                file.write(data)
                digest.add(data)
        part.replace(results)
    finally:
        part.unlink(missing_ok=True)
    return digest.result()


def _asked(inputs: Sequence[Path], longest: int) -> Iterator[str]:
    """Yield the custom_ids of the requests in their order."""
    decode = _decode_request
    for path in inputs:
        with file_access.open_to_read(path, buffering=0) as stream:
            for lines in blocks(stream, longest=longest):
                for line in lines:
                    with suppress(
                        *answers.DECODE_ERRORS
                    ):  # the check before the create refuses such an input
                        yield decode(line).custom_id


def _taken(
    custom_ids: Iterable[str], take: Callable[[str], tuple[str, bytes] | None], joined: Joined
) -> Iterator[list[bytes]]:
    """Yield the lines of the requests in their order, and count the requests without a line."""
    requests = 0
    taken: list[bytes] = []
    size = 0
    for custom_id in custom_ids:
        kind, text = take(custom_id) or (answers.MISSING, answers.missing(custom_id))
        if kind == answers.MISSING:
            joined.missing += 1
            if joined.missing <= MAX_LISTED_MISSING:
                joined.first_missing.append(custom_id)
        elif kind != answers.OK:
            why = answers.reason(kind, text)
            if why in joined.reasons or len(joined.reasons) < MAX_REASONS:
                joined.reasons[why] += 1
        requests += 1
        taken.append(text)
        size += len(text)
        if size >= WRITE_BYTES:
            yield taken
            taken, size = [], 0
    yield taken
    joined.requests = requests

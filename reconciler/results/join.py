"""Answers beside what was asked: the result files of a job joined with its inputs by custom_id, in input order.

Two passes, each reading its files once: the first turns each answer into its line of the joined results and puts that
on a spool, the second reads the inputs and takes each request's line from there. Memory is bounded by the number of
requests, not by what they say: a million take some 200 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from reconciler.results import answers
from reconciler.results.answers import Usage
from reconciler.results.download import PART, Digest, Fetched, read
from reconciler.results.heartbeat import Beat
from reconciler.results.lines import blocks
from reconciler.results.spool import Spool

SPOOL: Final = ".spool"
"""What the name of the results ends in while they are collected."""
AT_ONCE: Final = 1 << 20
"""Bytes that are written at a time, or one line more."""
SHOWN: Final = 20
"""So many missing custom_ids are named in the summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is joined."""

    output: Path | None
    """The file of answers, if there is one."""
    errors: Path | None
    """The file of failed requests, if there is one."""
    inputs: Sequence[Path] | None
    """The files of requests in their order; None where they are not to be had: then the answers keep theirs."""
    longest: int
    """Bytes of a line at most."""

    def answers(self) -> list[tuple[Path, bool]]:
        """Return the result files, answers before errors, and of each whether it is the error file."""
        files = ((self.output, False), (self.errors, True))
        return [(path, failed) for path, failed in files if path is not None]


@dataclass(slots=True)
class Joined:
    """What the join amounts to."""

    ok: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Failed requests by kind."""
    requests: int | None = None
    """How many the inputs hold; None without inputs."""
    missing: int = 0
    first_missing: list[str] = field(default_factory=list)
    malformed: int = 0
    repeated: int = 0
    unknown: int = 0
    usage: Usage = field(default_factory=Usage)


class _Request(msgspec.Struct, gc=False):
    custom_id: str


_decode_request: Final = msgspec.json.Decoder(_Request).decode


def join(sources: Sources, results: Path, beat: Beat) -> tuple[Joined, Fetched]:
    """Write the joined results, which appear whole or not at all.

    Args:
        sources: what is joined.
        results: the file to write.
        beat: called again and again; raises to end it all.

    Raises:
        OSError: a file cannot be read or written.
    """
    joined = Joined()
    collecting = results.with_name(results.name + SPOOL)
    try:
        with collecting.open("w+b", buffering=0) as file:
            spool = Spool(file)
            for path, failed in sources.answers():
                with path.open("rb", buffering=0) as stream:
                    _collect(stream, spool, joined, failed=failed, longest=sources.longest, beat=beat)
            spool.ready()
            if sources.inputs is None:
                _count(joined, spool.all())
                written = None
            else:
                written = _write(_taken(sources.inputs, spool.take, joined, sources.longest), results, beat)
                _count(joined, spool.used())
                joined.unknown = len(spool) - joined.ok - sum(joined.failures.values())
        if written is None:
            written = read(collecting, beat).result()
            collecting.replace(results)
    finally:
        collecting.unlink(missing_ok=True)
    return joined, written


def _count(joined: Joined, kinds: Mapping[str, int]) -> None:
    """Say what came of the requests that have an answer."""
    joined.ok = kinds.get(answers.OK, 0)
    joined.failures = {kind: count for kind, count in sorted(kinds.items()) if kind != answers.OK}


def _collect(
    stream: BinaryIO, spool: Spool, joined: Joined, *, failed: bool, longest: int, beat: Beat
) -> None:
    """Put the lines of one result file on the spool."""
    understood, refused, add, null = answers.understood, answers.REFUSED, spool.add, answers.NULL
    for lines in blocks(stream, longest=longest):
        beat()
        for line in lines:
            try:
                custom_id, kind, text, body = understood(line, failed=failed)
            except refused:
                joined.malformed += bool(line.strip())
                continue
            if not add(custom_id, kind, text):
                joined.repeated += 1
            elif body is not null:
                joined.usage.add(body)
        spool.flush()


def _write(texts: Iterable[list[bytes]], results: Path, beat: Beat) -> Fetched:
    """Write the lines of the joined results."""
    part, digest = results.with_name(results.name + PART), Digest()
    try:
        with part.open("wb", buffering=0) as file, ThreadPoolExecutor(1) as pool:
            hashing: Future[None] | None = None
            for lines in texts:
                beat()
                data = b"".join(lines)
                if hashing is not None:
                    hashing.result()
                hashing = pool.submit(digest.add, data)  # hashlib lets go of the interpreter's lock
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
        part.replace(results)
    finally:
        part.unlink(missing_ok=True)
    return digest.result()


def _taken(
    inputs: Sequence[Path], take: Callable[[str], bytes | None], joined: Joined, longest: int
) -> Iterator[list[bytes]]:
    """Yield the lines of the requests in their order, and count those that have none."""
    decode, requests = _decode_request, 0
    for path in inputs:
        with path.open("rb", buffering=0) as stream:
            for lines in blocks(stream, longest=longest):
                taken: list[bytes] = []
                size = 0
                for line in lines:
                    try:
                        custom_id = decode(line).custom_id
                    except answers.REFUSED:  # such an input was refused when it was bought
                        continue
                    text = take(custom_id)
                    if text is None:
                        text = answers.missing(custom_id)
                        joined.missing += 1
                        if joined.missing <= SHOWN:
                            joined.first_missing.append(custom_id)
                    requests += 1
                    taken.append(text)
                    size += len(text)
                    if size >= AT_ONCE:
                        yield taken
                        taken, size = [], 0
                yield taken
    joined.requests = requests

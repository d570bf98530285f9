"""Answers beside what was asked: the result files of a job joined with its inputs by custom_id, in input order.

Two passes, each reading its files once. The first turns each answer into its line of the joined results and puts
that on a spool. The second reads the inputs and takes each request's line from there. Memory is bounded by the
number of requests, not by what they say: a million take some 200 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from reconciler.results import answers
from reconciler.results.answers import Usage
from reconciler.results.fetch import PART, Digest, Fetched, read
from reconciler.results.lines import blocks
from reconciler.results.spool import Spool
from reconciler.results.stopping import Beat

SPOOL: Final = ".spool"
"""What the name of the results ends in while they are collected."""
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
            for path, failed in ((sources.output, False), (sources.errors, True)):
                if path is not None:
                    with path.open("rb", buffering=0) as stream:
                        _collect(stream, spool, joined, failed=failed, longest=sources.longest, beat=beat)
            spool.ready()
            if sources.inputs is None:
                counts = spool.all()
                written = None
            else:
                joined.requests = 0
                written = _write(sources, spool, joined, results, beat)
                counts = spool.used()
                joined.unknown = len(spool) - sum(counts.values())
        if written is None:
            written = read(collecting, beat).result()
            collecting.replace(results)
    finally:
        collecting.unlink(missing_ok=True)
    joined.ok = counts.pop(answers.OK, 0)
    joined.failures = dict(sorted(counts.items()))
    return joined, written


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


def _write(sources: Sources, spool: Spool, joined: Joined, results: Path, beat: Beat) -> Fetched:
    """Take the lines from the spool in the order of the inputs, which there are."""
    part, digest = results.with_name(results.name + PART), Digest()
    with part.open("wb", buffering=0) as file, ThreadPoolExecutor(1) as pool:
        hashing: Future[None] | None = None
        for path in sources.inputs or ():
            with path.open("rb", buffering=0) as stream:
                for lines in blocks(stream, longest=sources.longest):
                    beat()
                    data = b"".join(_taken(lines, spool, joined))
                    if hashing is not None:
                        hashing.result()
                    hashing = pool.submit(digest.add, data)  # hashlib lets go of the interpreter's lock
                    rest = memoryview(data)
                    while rest:
                        rest = rest[file.write(rest) :]
    part.replace(results)
    return digest.result()


def _taken(lines: list[bytes], spool: Spool, joined: Joined) -> list[bytes]:
    """Return the lines of some requests, and count those that have none."""
    decode, take = _decode_request, spool.take
    taken: list[bytes] = []
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
        taken.append(text)
    joined.requests = (joined.requests or 0) + len(taken)
    return taken

"""An object store without a network, whose conditional writes are lost, late, doubled and reordered, and its ledger.

The ledger and the store's class are the real ones; only what fsspec is to them is replaced.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final, cast

from reconciler.errors import LedgerError
from reconciler.ledger import chain
from reconciler.ledger.chain import Tip
from reconciler.ledger.file import FileLedger
from reconciler.ledger.line_format import decode, encode
from reconciler.ledger.lines import Line
from reconciler.ledger.objects import ObjectLedger
from reconciler.ledger.replicated import ReplicatedLedger
from reconciler.ledger.shared import ConflictError
from reconciler.outputs.object_store import ObjectStore
from tests.simulation.baton import Baton
from tests.simulation.ledgers import LocalLedger
from tests.simulation.process import Process

ROOT: Final = "bucket"
WAYS: Final = ("before", "after", "late", "late", "doubled")
"""How a write goes wrong. Of a read, each is an error."""
LATEST: Final = 200.0
"""Seconds after which a late write arrives, at most."""
SNAPSHOT_AFTER: Final = 3


@dataclass
class Bucket:
    """What all runners share."""

    objects: dict[str, bytes] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)
    """Virtual time of each object's creation."""

    def segments(self) -> list[bytes]:
        """Return the segments, the oldest first."""
        return [data for path, data in sorted(self.objects.items()) if path.startswith(f"{ROOT}/segments/")]

    @property
    def rows(self) -> list[str]:
        """The text of every line."""
        return chain.lines_only(b"".join(self.segments())).decode().splitlines()

    def has(self, lines: Sequence[Line], until: float) -> bool:
        """Whether one segment that was there by a time has all these lines."""
        rows = [f"{encode(line)}\n".encode() for line in lines]
        return any(
            at <= until and "/segments/" in path and all(row in self.objects[path] for row in rows)
            for path, at in self.born.items()
        )

    def lines(self) -> list[Line]:
        """Return every line."""
        return [line for row in self.rows if (line := decode(row))]

    def add(self, *rows: str) -> None:
        """Create a segment, as a person does who may write and has no key."""
        there = self.segments()
        tip = chain.follow(Tip(), BytesIO(b"".join(there))) if there else Tip()
        data = chain.segment(tip, [row.encode() for row in rows], by="a neighbour", nonce="")
        self.objects[f"{ROOT}/segments/{tip.number + 1:08}.jsonl"] = data


class _Files:
    """What fsspec's file system is to `ObjectStore`."""

    def __init__(
        self, process: Process, baton: Baton, bucket: Bucket, dice: random.Random, cut_off: Callable[[], str]
    ) -> None:
        self._process = process
        self._baton = baton
        self._bucket = bucket
        self._dice = dice
        self._cut_off = cut_off
        self.answered_at = 0.0
        """When the last write was answered, or was not."""
        self.unread = False
        """Whether a read failed since."""

    def invalidate_cache(self) -> None:
        """Do nothing: nothing is kept."""

    def cat(self, paths: Sequence[str], *, on_error: str) -> dict[str, bytes | Exception]:
        assert on_error == "return"
        self._travel(f"reads {', '.join(map(_short, paths))}")
        if self._cut_off():
            self.unread = True
            raise OSError("the store does not answer")
        found: dict[str, bytes | Exception] = {}
        for path in paths:  # each at another moment
            found[path] = self._bucket.objects.get(path, FileNotFoundError(path))
            self._travel("reads on")
        return found

    def get_file(self, path: str, place: str, **_: object) -> None:
        (data,) = self.cat([path], on_error="return").values()
        if isinstance(data, Exception):
            raise data
        Path(place).write_bytes(data)

    def ls(self, folder: str, *, detail: bool) -> list[str]:
        assert not detail
        self._travel(f"lists {_short(folder)}")
        if self._cut_off():
            raise OSError("the store does not answer")
        until = self._baton.now - self._dice.choice((0.0, 0.0, 10.0, 300.0))
        born = self._bucket.born
        return [path for path, at in born.items() if path.startswith(f"{folder}/") and at <= until]

    def put_file(self, place: str, path: str, *, mode: str, **_: object) -> None:
        self.pipe_file(path, Path(place).read_bytes(), mode)

    def pipe_file(self, path: str, data: bytes, mode: str = "overwrite") -> None:
        self._travel(f"creates {_short(path)}")
        failed = self._cut_off()
        try:
            self._send(path, data, mode, failed)
        finally:
            self.answered_at, self.unread = self._baton.now, False

    def _send(self, path: str, data: bytes, mode: str, failed: str) -> None:
        if failed == "late":
            delay = self._dice.uniform(0, LATEST)
            self._process.trace(self._process.name, f"{_short(path)} ARRIVES {delay:.0f} s later")
            self._baton.at(self._baton.now + delay, lambda: self._write(path, data, mode))
        elif failed != "before":
            done = self._write(path, data, mode)
            self._process.moment(f"ledger: has created {_short(path)}")
            self._travel("waits for the answer")
            if failed == "doubled":
                done = self._write(path, data, mode)
            if not done:
                raise FileExistsError(path)
        if failed in ("before", "after", "late"):
            raise OSError("the store does not answer")

    def _write(self, path: str, data: bytes, mode: str) -> bool:
        if mode == "create" and path in self._bucket.objects:
            return False
        self._bucket.objects[path] = data
        self._bucket.born[path] = self._baton.now
        return True

    def _travel(self, what: str) -> None:
        self._process.step(f"ledger: {what}")
        self._process.sleep(self._dice.choice((0.0, 0.0, 0.0, 0.2, 1.0, 5.0)))


def _short(path: str) -> str:
    return path.removeprefix(f"{ROOT}/").removesuffix(".jsonl")


class _Store(ObjectStore):
    """The real store, over files that are none."""

    def __init__(self, files: _Files) -> None:
        self._fs = files
        self._root = self.where = ROOT


class BucketLedger(ReplicatedLedger):
    """The real joint ledger of a host and a store.

    Args:
        process: who reads and writes.
        local: the host's file.
        bucket: what is shared.
        state: a folder of the host.
        baton: the time.
        dice: how long the store takes.
        cut_off: how the store fails now.
        violated: notes a claim that counts as lost although the store shows it.
    """

    def __init__(
        self,
        process: Process,
        local: LocalLedger,
        bucket: Bucket,
        state: Path,
        *,
        baton: Baton,
        dice: random.Random,
        cut_off: Callable[[], str],
        violated: Callable[[str, str], None],
    ) -> None:
        files = _Files(process, baton, bucket, dice, cut_off)
        self._files = files
        self._bucket = bucket
        self._violated = violated
        super().__init__(
            local=cast("FileLedger", local),
            shared=ObjectLedger(store=_Store(files), state=state, rng=dice, snapshot_after=SNAPSHOT_AFTER),
            run_id=process.name,
            monotonic=process.monotonic,
            sleep=process.sleep,
            rng=dice,
        )

    def _push(self, lines: Sequence[Line], message: str) -> None:
        """Push, and hold a failure to what the store shows."""
        try:
            super()._push(lines, message)
        except (ConflictError, LedgerError):
            if lines and not self._files.unread and self._bucket.has(lines, self._files.answered_at):
                self._violated("a_claim_that_the_store_shows_is_won", f"{self.run_id}: {encode(lines[0])}")
            raise

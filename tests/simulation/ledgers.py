"""Ledgers in memory: the real classes over a disk and a remote that can be torn, filled, cut off and raced.

Pauses are outside of the real ledger's lock, so that no thread waits for the lock while it holds the baton.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from reconciler.errors import LedgerError
from reconciler.ledger.file import FileLedger
from reconciler.ledger.line_format import decode
from reconciler.ledger.lines import Line
from reconciler.ledger.replicated import ReplicatedLedger
from reconciler.ledger.shared import ConflictError, SharedLedger
from tests.simulation.process import Process


@dataclass
class Disk:
    """One ledger file, which outlives the processes that write it."""

    data: bytes = b""
    promised: list[str] = field(default_factory=list)
    """The lines whose writing was reported as done."""

    def add(self, data: bytes) -> None:
        """Append as the real ledger does: a torn line is ended first."""
        torn = self.data and not self.data.endswith(b"\n")
        self.data += b"\n" + data if torn else data

    def rows(self) -> list[str]:
        """Return the text of every line."""
        return self.data.decode(errors="replace").split("\n")

    def lines(self) -> list[Line]:
        """Return every whole line."""
        return [line for row in self.rows() if (line := decode(row))]

    def forget(self) -> None:
        """Delete the file."""
        self.data = b""
        self.promised.clear()


class _File(FileLedger):
    """The real file ledger, on a disk that is none."""

    def __init__(self, process: Process, disk: Disk, *, full: Callable[[], bool]) -> None:
        super().__init__(Path())
        self._disk = disk
        self._process = process
        self._full = full

    def _blocks(self) -> Iterator[bytes]:
        if self._disk.data:
            yield self._disk.data

    def _write(self, data: bytes) -> None:
        def torn() -> None:
            self._disk.add(data[: self._process.dice.randrange(len(data))])

        self._process.moment("ledger: writes", torn=torn)
        if self._full():
            torn()
            raise OSError(errno.ENOSPC, "No space left on device")
        self._disk.add(data)
        self._disk.promised += data.decode().splitlines()


class LocalLedger:
    """The file ledger with its steps.

    Args:
        process: who reads and writes.
        disk: where.
        full: whether a write fails now.
    """

    def __init__(self, process: Process, disk: Disk, *, full: Callable[[], bool]) -> None:
        self.disk = disk
        self._process = process
        self._real = _File(process, disk, full=full)

    def read(self) -> Iterator[Line]:
        """Read the file."""
        self._process.step("ledger: reads")
        return self._real.read()

    def rows(self) -> Iterator[bytes]:
        """Read the rows of the file."""
        self._process.step("ledger: reads")
        return self._real.rows()

    def append(self, *lines: Line) -> None:
        """Write to the file."""
        self._process.alive()
        if lines:
            self._process.step(f"ledger: {', '.join(type(line).__name__ for line in lines)}")
            self._real.append(*lines)
            self._process.step("ledger: has written")

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Return where lines are."""
        return self._real.locate(texts)

    def rewritten(self) -> str:
        """Return "", as on one host."""
        return self._real.rewritten()

    def claim(self, lines: Sequence[Line]) -> bool:
        """Claim nothing, as on one host."""
        self._process.alive()
        return self._real.claim(lines)

    def publish(self) -> None:
        """Publish nothing, as on one host."""
        self._process.alive()


@dataclass
class Remote:
    """The shared ref: rows of text, and how often it was pushed to."""

    rows: list[str] = field(default_factory=list)
    pushes: int = 0

    def lines(self) -> list[Line]:
        """Return every line."""
        return [line for row in self.rows if (line := decode(row))]

    def add(self, *rows: str) -> None:
        """Push rows, as a person does who may push and has no key."""
        self.rows += rows
        self.pushes += 1


@dataclass
class _Ref:
    """What `SharedLedger` is to `ReplicatedLedger`, without git: fast-forward or refused."""

    process: Process
    remote: Remote
    dice: random.Random
    cut_off: Callable[[], str]
    """How the remote fails now: "" (not), "before" or "after" the push took effect."""

    def fetch(self) -> str:
        self._travel("fetches the ref")
        if self.cut_off():
            raise LedgerError("the remote origin cannot be reached")
        return f"{self.remote.pushes} {len(self.remote.rows)}"

    def blocks(self, tip: str) -> Iterator[bytes]:
        rows = self.remote.rows[: int(tip.split()[1])]
        return iter(["".join(f"{row}\n" for row in rows).encode()])

    def locate(self, tip: str, texts: Collection[str]) -> dict[str, str]:
        assert tip
        return dict.fromkeys(texts, "the shared ledger")

    def missed(self) -> tuple[str, ...]:
        return ()

    def push(self, tip: str, rows: Sequence[bytes], *, message: str) -> str:
        assert rows
        self._travel(f"pushes {message}")
        failed = self.cut_off()
        if failed == "before":
            raise LedgerError("the ledger cannot be pushed")
        if int(tip.split(maxsplit=1)[0]) != self.remote.pushes:
            raise ConflictError("! [rejected]")
        self.remote.rows += (row.decode() for row in rows)
        self.remote.pushes += 1
        self.process.moment("ledger: has pushed")
        if failed:
            raise LedgerError("the ledger cannot be pushed")
        return f"{self.remote.pushes} {len(self.remote.rows)}"

    def _travel(self, what: str) -> None:
        self.process.step(f"ledger: {what}")
        self.process.sleep(self.dice.choice((0.0, 0.0, 0.5, 3.0, 20.0)))


class RefLedger(ReplicatedLedger):
    """The real joint ledger of a clone and a remote.

    Args:
        process: who reads and writes.
        local: the clone's file.
        remote: what is shared.
        dice: how long the remote takes.
        cut_off: how the remote fails now.
    """

    def __init__(
        self,
        process: Process,
        local: LocalLedger,
        remote: Remote,
        *,
        dice: random.Random,
        cut_off: Callable[[], str],
    ) -> None:
        super().__init__(
            local=cast("FileLedger", local),
            shared=cast("SharedLedger", _Ref(process, remote, dice, cut_off)),
            run_id=process.name,
            monotonic=process.monotonic,
            sleep=process.sleep,
            rng=dice,
        )
        self.remote = remote


class NoLedger:
    """A ledger that remembers nothing, not even within a run."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def read(self) -> Iterator[Line]:
        """Return nothing."""
        self._process.alive()
        return iter(())

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Return nothing."""
        return dict.fromkeys(texts, "") if texts else {}

    def rewritten(self) -> str:
        """Return "": there is nothing to rewrite."""
        return ""

    def append(self, *lines: Line) -> None:
        """Forget it at once."""
        self._process.alive()

    def claim(self, lines: Sequence[Line]) -> bool:
        """Claim nothing."""
        self._process.alive()
        return True

    def publish(self) -> None:
        """Publish nothing: there is no ledger."""
        self._process.alive()

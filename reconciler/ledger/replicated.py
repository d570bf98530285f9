"""This host's ledger and the shared one as one: claims are pushed before creates, outcomes afterwards.

Every line is durable in the file on this host before anything is sent to the API, and a claim is shared before that.
Other hosts see the shared ledger. Both have the same lines, and they merge by union.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.errors import LedgerError
from reconciler.ledger.file import FileLedger
from reconciler.ledger.line_format import decode, decode_block, encode
from reconciler.ledger.lines import Line
from reconciler.ledger.shared import ConflictError, LockedError, SharedLedger, UnreachableError
from reconciler.text.plural import pluralize

if TYPE_CHECKING:
    import random

MAX_TRIES: Final = 10
"""How often a push is tried, because others push or fetch at the same time."""
LOCK_PAUSE_SECONDS: Final = 0.2
UNREACHABLE_PAUSE_SECONDS: Final = 5.0
MIN_PAUSE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 30.0

_T = TypeVar("_T")


@dataclass(kw_only=True)
class ReplicatedLedger:
    """A ledger that other hosts see."""

    local: FileLedger
    shared: SharedLedger
    run_id: str
    """Named in each push."""
    monotonic: Callable[[], float]
    sleep: Callable[[float], object]
    rng: random.Random
    """So that runners that lost to each other do not try again at the same time."""
    _tip: str = ""
    _fetched_at: float = 0.0
    _lost: int = 0
    """Races lost in a row."""
    _rewritten: str = ""
    _unpublished: list[bytes] | None = None
    """The rows of this host that the remote lacks; None if that is not known."""

    def read(self) -> Iterator[Line]:
        """Fetch, and yield the lines of the remote and of this host, and those that the remote has lost, each once.

        Raises `LedgerError` if the remote cannot be reached.
        """
        self._fetch()
        yield from self._lines()
        lost = self.shared.missed()
        rows = self._missing(lost) if lost else ()
        commits = ", ".join(commit[:10] for commit in lost)
        self._rewritten = (
            f"the shared ledger lost {pluralize(len(rows), 'line')} of {commits}" if rows else ""
        )
        yield from decode_block(b"".join(row + b"\n" for row in rows))

    def _missing(self, lost: Sequence[str]) -> tuple[bytes, ...]:
        """Return the rows of lost commits that neither the remote nor this host has."""
        here = set(map(hash, self.local.rows()))
        for block in self.shared.blocks(self._tip):
            here.update(map(hash, block.split(b"\n")))
        rows = (row for commit in lost for block in self.shared.blocks(commit) for row in block.split(b"\n"))
        return tuple(dict.fromkeys(row for row in rows if row and hash(row) not in here))

    def rewritten(self) -> str:
        """Return which lines the remote has lost, "" if this clone misses none."""
        return self._rewritten

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Return `file:line` of lines, by their text. Raises what `read` raises."""
        return {**self.local.locate(texts), **self.shared.locate(self._tip, texts)}

    def append(self, *lines: Line) -> None:
        """Record lines durably on this host; `publish` lets others see them."""
        self.local.append(*lines)
        if self._unpublished is not None:
            self._unpublished += map(_row, lines)

    def claim(self, lines: Sequence[Line]) -> bool:
        """Push intents on top of what was read, or raise `LedgerError`.

        Return False if another runner pushed since `read`, after a wait, so that the next try meets fewer others.
        """
        if not lines:
            return True
        try:
            self._push(lines, f"{len(lines)} intents of run {self.run_id}")
        except ConflictError:
            self._wait()
            return False
        self.local.append(*lines)
        return True

    def publish(self) -> None:
        """Push the lines that the remote lacks. These are facts, so a conflict needs only a new try.

        Raises `LedgerError` if the remote cannot be reached; the next run publishes what this one could not.
        """
        for _ in range(MAX_TRIES):
            try:
                self._push((), f"outcomes of run {self.run_id}")
            except ConflictError:
                self._wait()
                self._fetch()
            else:
                return
        raise LedgerError(
            f"others pushed to the shared ledger first, {MAX_TRIES} times in a row",
            hint="the next run publishes what this one could not",
        )

    def _fetch(self) -> None:
        try:
            self._tip = self._unlocked(self.shared.fetch)
        except UnreachableError:  # perhaps for a moment; a fetch is safe to repeat
            self.sleep(UNREACHABLE_PAUSE_SECONDS)
            self._tip = self._unlocked(self.shared.fetch)
        self._fetched_at = self.monotonic()

    def _lines(self) -> Iterator[Line]:
        """Yield the lines at the fetched commit, then those that only this host has, which are to be published.

        Of this host's lines, only hashes are kept meanwhile: a host may have those of years.
        """
        here = set(map(hash, self.local.rows()))
        for block in self.shared.blocks(self._tip):
            here.difference_update(map(hash, block.split(b"\n")) if here else ())
            yield from decode_block(block)
        unpublished = []
        for row in self.local.rows() if here else ():
            if hash(row) in here and (line := decode(row.decode(errors="replace"))):
                here.discard(hash(row))
                unpublished.append(row)
                yield line
        self._unpublished = unpublished

    def _push(self, lines: Sequence[Line], message: str) -> None:
        """Push what this host has and the remote lacks, and more lines."""
        if self._unpublished is None:
            deque(self._lines(), maxlen=0)
        rows = [*(self._unpublished or ()), *map(_row, lines)]
        if rows:
            tip = self._tip
            self._tip = self._unlocked(lambda: self.shared.push(tip, rows, message=message))
            self._unpublished, self._lost = [], 0

    def _wait(self) -> None:
        """Wait at random, for about as long as the lost try took, and up to twice as long after each further one."""
        took = max(MIN_PAUSE_SECONDS, self.monotonic() - self._fetched_at)
        self.sleep(self.rng.random() * min(MAX_PAUSE_SECONDS, took * 2.0**self._lost))
        self._lost += 1

    def _unlocked(self, do: Callable[[], _T]) -> _T:
        """Call `do`; try again while a git that may still be running has locked the file.

        Raises `LockedError` if the lock file still exists after the last try.
        """
        for attempt in range(1, MAX_TRIES):
            try:
                return do()
            except LockedError:
                self.sleep(LOCK_PAUSE_SECONDS * attempt)
        return do()


def _row(line: Line) -> bytes:
    return encode(line).encode()

"""The shared ledger in an object store: numbered segments, each created only if its number is free.

That conditional create is the lock and the record. A run fetches, plans, and creates the next segment with its intents
before it creates jobs. If the number is taken, another run wrote meanwhile: the run fetches and plans again. Segments
are never rewritten or deleted. A snapshot is all segments up to a number in one object, for hosts that begin to read.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain as joined
from itertools import takewhile
from pathlib import Path
from typing import Final, TypeVar

from reconciler import file_access
from reconciler.errors import LedgerError
from reconciler.ledger import chain
from reconciler.ledger.chain import BrokenChainError, Tip
from reconciler.ledger.line_format import decode_block
from reconciler.ledger.lines import Line
from reconciler.ledger.mirror import Mirror
from reconciler.ledger.shared import ConflictError, Store, UnreachableError

AT_ONCE: Final = 32
"""How many segments are read at the same time, at most."""
SNAPSHOT_AFTER: Final = 100
"""How many segments a host may have to read after the newest snapshot."""
PROBE: Final = "conditional"
"""The object that is created twice, to see that the second time fails."""
HINT: Final = (
    "no job was created; check the address and the credentials, or use --local-ledger with weaker duplicate "
    "protection"
)
RESTORE: Final = (
    "no job was created; restore the object's first version, if the bucket keeps versions; a snapshot may be deleted "
    "instead"
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLedger:
    """One target's lines in a folder of an object store."""

    store: Store
    state: Path
    """A folder on this host, for this ledger alone."""
    rng: random.Random
    snapshot_after: int = SNAPSHOT_AFTER

    @property
    def _mirror(self) -> Mirror:
        return Mirror(self.state / "now")

    def fetch(self) -> str:
        """Read the segments that this host lacks, and return the tip.

        Raises `LedgerError` if the store cannot be reached, or a segment does not continue the one before.
        """
        self._keep_lost()
        tip, wanted = self._mirror.tip(), 1
        tip = tip if tip.number else self._begun()
        while True:
            found = self._read(range(tip.number + 1, tip.number + 1 + wanted))
            there = [data for data in takewhile(lambda it: it is not None, found) if data is not None]
            for data in there:
                tip = self._followed(tip, BytesIO(data), tip.number + 1, _path(tip.number + 1))
                self._mirror.add(tip, data)
            if len(there) < wanted:
                return str(tip)
            wanted = min(2 * wanted, AT_ONCE)

    def _keep_lost(self) -> None:
        """Keep what this host has read as proof, if the store no longer has the last segment of it."""
        tip = self._mirror.tip()
        if not tip.number or chain.sha256(*self._read([tip.number])) == tip.sha256:
            return
        place = file_access.make_folder(self.state / "lost") / str(tip)
        if place.exists():  # for the second time
            shutil.rmtree(self._mirror.folder)
        else:
            self._mirror.folder.rename(place)

    def _begun(self) -> Tip:
        """Begin with the newest snapshot that the store lists, if it ends as the segments do."""
        newest, spare = self._newest_snapshot(), self._mirror.spare()
        if not newest:
            return Tip()
        path = _path(newest, "snapshots")
        try:
            self._calling("read", lambda: self.store.download(path, spare))
            with file_access.open_to_read(spare) as file:
                tip = self._followed(Tip(), file, newest, path)
            if tip.sha256 != chain.sha256(*self._read([newest])):
                raise self._changed(path, f"it does not end with segment {newest} as it is now")
            self._mirror.begin(tip, spare)
        finally:
            spare.unlink(missing_ok=True)
        return tip

    def _newest_snapshot(self) -> int:
        """Return the number of the newest snapshot that the store lists, 0 for none."""
        names = self._calling("read", lambda: self.store.names("snapshots"))
        stems = (name.partition(".")[0] for name in names)
        return max((int(stem) for stem in stems if re.fullmatch("[0-9]{8,}", stem)), default=0)

    def fetched(self) -> str:
        """Return the tip of the last fetch or push from this host."""
        return str(self._mirror.tip())

    def missed(self) -> tuple[str, ...]:
        """Return the tips that this host knew and that the store lost since."""
        return self._kept("lost")

    def _kept(self, folder: str) -> tuple[str, ...]:
        with suppress(FileNotFoundError):
            return tuple(sorted(it.name for it in (self.state / folder).iterdir()))
        return ()

    def accept_rewrite(self) -> None:
        """Miss those tips no longer. `history verify` still reports them. Raises `OSError` if they cannot be moved."""
        for tip in self.missed():
            (self.state / "lost" / tip).rename(file_access.make_folder(self.state / "accepted") / tip)

    def blocks(self, tip: str) -> Iterator[bytes]:
        """Yield the lines up to a tip, in blocks of whole lines, the oldest first."""
        lost = self.state / "lost" / tip
        mirror = Mirror(lost) if tip and lost.is_dir() else self._mirror
        return mirror.blocks(Tip.parse(tip))

    def read(self, tip: str) -> Iterator[Line]:
        """Yield the lines up to a tip."""
        return joined.from_iterable(map(decode_block, self.blocks(tip)))

    def locate(self, tip: str, texts: Collection[str]) -> dict[str, str]:
        """Return `address:row` of lines up to a tip, by their text."""
        found = self._mirror.locate(Tip.parse(tip), texts)
        return {text: f"{self.store.where}/{_path(number)}:{row}" for text, number, row in found}

    def push(self, tip: str, rows: Sequence[bytes], *, message: str) -> str:
        """Create the segment after `tip`, and return the new tip.

        Raises `ConflictError` if another run created it first; `LedgerError` if it is not known to be created.
        """
        at = Tip.parse(tip)
        if not at.number:
            self.check_push()
        data = chain.segment(at, rows, by=message, nonce=f"{self.rng.getrandbits(64):016x}")
        path = _path(at.number + 1)
        self._create(path, data)
        new = chain.follow(at, BytesIO(data))
        self._mirror.add(new, data)
        if len(self._mirror.files(new)) > self.snapshot_after:
            self._compact(new)
        return str(new)

    def _create(self, path: str, data: bytes) -> None:
        """Create a segment. Whatever the store answers, what it has then decides."""
        failed: Exception | None = None
        try:
            if self.store.create(path, data):
                return
        except Exception as error:  # noqa: BLE001 - of the store's package
            failed = error
        (there,) = self._calling("read", lambda: self.store.read_all([path]))
        if there is None:
            raise self._failure("written", failed or f"{path} exists, but cannot be read") from failed
        if there != data:
            raise ConflictError

    def _compact(self, tip: Tip) -> None:
        """Put what this host has into one file, and into the store if no recent snapshot is there."""
        place = self._mirror.compact()
        with suppress(Exception):  # a snapshot only saves requests
            if self._newest_snapshot() <= tip.number - self.snapshot_after:
                self.store.upload(_path(tip.number, "snapshots"), place)

    def check_push(self) -> str:
        """Raise `LedgerError` if this host may not create objects, or the store creates an object twice."""
        _, again = (self._calling("written", lambda: self.store.create(PROBE, b"once\n")) for _ in range(2))
        if again:
            raise LedgerError(
                f"{self.store.where} cannot hold a ledger: it creates an object that exists",
                hint="no job was created; use a store whose conditional create (If-None-Match) works",
            )
        return f"{self.store.where}: this runner may create objects, and none twice"

    def problems_in_the_past(self, tip: str, *, offline: bool = False) -> list[str]:
        """Return how segments up to a tip were changed: all of them are read again, unless `offline`."""
        digests: dict[int, str] = {}
        found = [] if offline else list(self._problems(Tip.parse(tip), digests))
        lost = map(Tip.parse, (*self._kept("lost"), *self._kept("accepted")))
        return found + [
            f"the shared ledger's history was rewritten: it no longer has segment {it.number} as this host read it"
            for it in lost
            if digests.get(it.number) != it.sha256
        ]

    def _problems(self, last: Tip, digests: dict[int, str]) -> Iterator[str]:
        tip = Tip()
        for first in range(1, last.number + 1, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, last.number + 1))
            for number, data in zip(numbers, self._read(numbers), strict=True):
                try:
                    tip = chain.follow(tip, BytesIO(data or b""))
                except BrokenChainError as error:
                    what = f"was changed: {error}" if data is not None else "is missing"
                    yield f"{_path(number)} of the shared ledger {what}"
                    return
                digests[number] = tip.sha256
        if tip != last:
            yield f"{_path(last.number)} of the shared ledger was changed since this host read it"

    def _read(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        return self._calling("read", lambda: self.store.read_all([_path(number) for number in numbers]))

    def _followed(self, tip: Tip, rows: Iterable[bytes], last: int, path: str) -> Tip:
        try:
            found = chain.follow(tip, rows)
        except BrokenChainError as error:
            raise self._changed(path, str(error)) from error
        if found.number != last:
            raise self._changed(path, f"it ends with segment {found.number} instead of {last}")
        return found

    def _changed(self, path: str, why: str) -> LedgerError:
        return LedgerError(f"{self.store.where}/{path} was changed: {why}", hint=RESTORE)

    def _calling(self, what: str, do: Callable[[], _T]) -> _T:
        try:
            return do()
        except Exception as error:
            raise self._failure(what, error) from error

    def _failure(self, what: str, error: object) -> LedgerError:
        kind = LedgerError if isinstance(error, PermissionError) else UnreachableError
        return kind(f"the shared ledger {self.store.where} cannot be {what}: {error}", hint=HINT)


def _path(number: int, folder: str = "segments") -> str:
    return f"{folder}/{number:08}.jsonl"

"""What a ledger that several hosts share must offer, whatever holds it, and how it fails."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from reconciler.errors import LedgerError
from reconciler.ledger.lines import Line


class UnreachableError(LedgerError):
    """The shared ledger could not be reached just now."""


class ConflictError(Exception):
    """Another run pushed first."""


class LockedError(LedgerError):
    """Git cannot write, because of a lock file.

    Git creates `<file>.lock` before it writes a file. While the lock exists, every other git that writes the same file
    fails. A git that is killed leaves it behind. This tool never deletes one: a git that still needs it may run in
    another container, or on another host that shares the folder.
    """


class SharedLedger(Protocol):
    """One target's lines where other hosts see them. A tip names all lines up to a push; "" is the empty ledger."""

    def fetch(self) -> str:
        """Return the newest tip. Raises `LedgerError` if the ledger cannot be reached, or is not one of this tool."""

    def fetched(self) -> str:
        """Return the tip of the last fetch or push from this host, without contacting the ledger."""

    def blocks(self, tip: str) -> Iterator[bytes]:
        """Yield the lines up to a tip, in blocks of whole lines, the oldest first."""

    def read(self, tip: str) -> Iterator[Line]:
        """Yield the lines up to a tip."""

    def locate(self, tip: str, texts: Collection[str]) -> Mapping[str, str]:
        """Return where lines up to a tip are, by their text."""

    def push(self, tip: str, rows: Sequence[bytes], *, message: str) -> str:
        """Add the text of lines after a fetched tip, all or none, and return the new tip.

        Raises `ConflictError` if another run pushed first; `LedgerError` if it is not known that the lines were added.
        """

    def missed(self) -> Sequence[str]:
        """Return the tips that this host knew and that the ledger, or some of their lines, lost since."""

    def accept_rewrite(self) -> None:
        """Miss those tips no longer. `history verify` still reports them."""

    def problems_in_the_past(self, tip: str, *, offline: bool = False) -> Sequence[str]:
        """Return how the past up to a tip was changed. If `offline`, only from what this host has."""

    def check_push(self) -> str:
        """Return what shows that this host may push. Raises `LedgerError` if it may not."""


class Store(Protocol):
    """A folder in an object store. Methods raise an exception of any kind if the store fails."""

    where: str
    """The address, as messages show it."""

    def create(self, path: str, data: bytes) -> bool:
        """Create an object, or return False if it exists."""

    def read_all(self, paths: Sequence[str]) -> Sequence[bytes | None]:
        """Return the contents of objects, None for those that do not exist."""

    def names(self, folder: str) -> Sequence[str]:
        """Return the names in a folder; the newest may be missing."""

    def download(self, path: str, place: Path) -> None:
        """Write an object into a file of this machine."""

    def upload(self, path: str, place: Path) -> bool:
        """Create an object from a file, or return False if it exists."""

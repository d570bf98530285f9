"""What this host has read of a ledger in an object store: segments whose chain was checked."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.ledger import chain
from reconciler.ledger.chain import Tip
from reconciler.ledger.file import BLOCK
from reconciler.ledger.line_format import decode, encode

_NAME: Final = re.compile(r"([0-9]+)-([0-9a-f]{64})\.(snapshot|segment)")
_KINDS: Final = ("snapshot", "segment")


class Mirror:
    """A folder with a file for each segment after the snapshot that it begins with, if any.

    Processes of this host share it: files appear complete, under a name with their digest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _all(self) -> list[tuple[int, int, Path]]:
        """Return all files with number and kind, the oldest first; a snapshot is before the segment of its number."""
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        found = (match for path in paths if (match := _NAME.fullmatch(path.name)))
        return sorted((int(it[1]), _KINDS.index(it[3]), self.folder / it[0]) for it in found)

    def files(self, last: Tip) -> list[Path]:
        """Return the files from the newest snapshot on, up to a segment."""
        found = [it for it in self._all() if it[0] <= last.number]
        first = max((number for number, kind, _ in found if not kind), default=0)
        return [path for number, kind, path in found if number > first or (number == first and not kind)]

    def tip(self) -> Tip:
        """Return the newest segment."""
        return max((Tip.parse(path.stem) for _, _, path in self._all()), default=Tip())

    def add(self, tip: Tip, data: bytes) -> None:
        """Keep a segment."""
        file_access.replace(file_access.make_folder(self.folder) / f"{tip}.segment", data)

    def spare(self) -> Path:
        """Return the path of a file that no process uses, for `begin`."""
        return file_access.make_folder(self.folder) / f".{os.urandom(8).hex()}"

    def begin(self, tip: Tip, snapshot: Path) -> Path:
        """Let the mirror begin with a file that has all segments up to one, and return its new path.

        The files that it replaces stay until the next time: another process may be reading them.
        """
        in_use = self.files(self.tip())
        unused = [path for _, _, path in self._all() if path not in in_use]
        place = snapshot.replace(self.folder / f"{tip}.snapshot")
        for path in unused:
            path.unlink(missing_ok=True)
        return place

    def compact(self) -> Path:
        """Put all segments into one file, and return its path."""
        tip, spare = self.tip(), self.spare()
        with file_access.create(spare) as file:
            for path in self.files(tip):
                with file_access.open_to_read(path) as part:
                    shutil.copyfileobj(part, file)
            file.flush()
            os.fsync(file.fileno())
        return self.begin(tip, spare)

    def blocks(self, last: Tip) -> Iterator[bytes]:
        """Yield the lines up to a segment, in blocks of whole lines."""
        for path in self.files(last):
            with file_access.open_to_read(path) as file:
                while data := file.read(BLOCK) + file.readline():
                    yield chain.lines_only(data)

    def locate(self, last: Tip, texts: Collection[str]) -> Iterator[tuple[str, int, int]]:
        """Yield lines up to a segment, by their text: with the number of their segment, and of their row in it."""
        segment = row = 0
        for path in self.files(last):
            with file_access.open_to_read(path) as file:
                for data in file:
                    begins = chain.begins(data)
                    segment, row = (begins, 1) if begins else (segment, row + 1)
                    line = decode(data.rstrip(b"\n").decode(errors="replace"))
                    if line is not None and encode(line) in texts:
                        yield encode(line), segment, row

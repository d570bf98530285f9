"""The interface of a store of results, and its implementation for a folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from reconciler import file_access
from reconciler.documents import result_summary
from reconciler.outputs.paths import JOBS, RESULTS


class ResultStore(Protocol):
    """A tree of files. Paths are relative to its root and have forward slashes. Threads may share it.

    Every method raises `OSError` if the store fails.
    """

    where: str
    """The root, as messages show it."""

    def jobs(self) -> dict[str, str]:
        """Return the folder of every job that has a summary, whose results are complete, by the folder's own name."""

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, None if it does not exist."""

    def create(self, path: str, data: bytes) -> bool:
        """Create a small file. Return False, and change nothing, if it exists."""

    def replace(self, path: str, data: bytes) -> None:
        """Create or replace a small file atomically."""

    def remove(self, path: str) -> None:
        """Delete a file if it exists."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, none if it does not exist."""

    def staging_dir(self, folder: str) -> Path:
        """Return a folder of this machine for the incomplete files of that folder. Its files stay for a later run."""

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Move complete files from the staging folder to the store."""

    def publish_results(self, folder: str, file: Path, sha256: str) -> str:
        """Move a complete file to the store as the results of a name. Return its name there."""

    def tidy(self, folder: str, keep: str) -> None:
        """Delete the results of a name that `publish_results` has replaced."""

    def fetch(self, path: str, size: int) -> Path:
        """Return a file of the store as one of this machine; the store has that many bytes of it."""

    def move(self, old: str, new: str) -> bool:
        """Move a job's folder. Return False, and change nothing, if the new one exists."""

    def clear(self, folder: str) -> None:
        """Delete the published files from the staging folder."""

    def path(self, folder: str) -> str:
        """Return the path of a folder, as messages show it."""
        return f"{self.where}/{folder}"


class FolderStore(ResultStore):
    """A folder of this machine, or one that several machines mount. Incomplete files are in the same folder.

    Args:
        root: the destination; the first write creates it.
        shown: the root as messages show it.
    """

    def __init__(self, root: Path, *, shown: str = "") -> None:
        self.root = root
        self.where = shown or str(root)

    def jobs(self) -> dict[str, str]:
        """Return the folder of every job that has a summary."""
        found = self.root.glob(f"*/{JOBS}/*/{result_summary.NAME}")
        return {path.parent.name: path.parent.relative_to(self.root).as_posix() for path in found}

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, None if it does not exist."""
        try:
            with file_access.open_to_read(self._place(path)) as file:
                return file.read(result_summary.MAX_SUMMARY_BYTES)
        except FileNotFoundError:
            return None

    def create(self, path: str, data: bytes) -> bool:
        """Create a file together with its content: of several runners, one succeeds."""
        place = self._place(path)
        file_access.make_folder(place.parent)
        temporary = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            file_access.replace(temporary, data, mode=file_access.SHARED)
            os.link(temporary, place)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links: for a moment the file is empty
            try:
                with file_access.create(place, mode=file_access.SHARED) as file:
                    file.write(data)
            except FileExistsError:
                return False
        finally:
            with suppress(OSError):
                temporary.unlink()
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Write a temporary file in the same folder, then rename it."""
        place = self._place(path)
        file_access.make_folder(place.parent)
        file_access.replace(place, data, mode=file_access.SHARED)

    def remove(self, path: str) -> None:
        """Delete a file if it exists."""
        self._place(path).unlink(missing_ok=True)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder."""
        try:
            return tuple(sorted(entry.name for entry in self._place(folder).iterdir()))
        except FileNotFoundError:
            return ()

    def staging_dir(self, folder: str) -> Path:
        """Return the folder itself: files are renamed when they are complete."""
        place = self._place(folder)
        file_access.make_folder(place)
        return place

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Do nothing: the files are in their folder."""

    def publish_results(self, folder: str, file: Path, sha256: str) -> str:  # noqa: ARG002 - as the protocol has it
        """Rename the file: a reader has the earlier results or these."""
        file.replace(self._place(f"{folder}/{RESULTS}"))
        return RESULTS

    def tidy(self, folder: str, keep: str) -> None:
        """Delete the results unless they are kept, and folders that are then empty."""
        if keep != RESULTS:
            self.remove(f"{folder}/{RESULTS}")
            for path in (f"{folder}/{JOBS}", folder):
                with suppress(OSError):
                    self._place(path).rmdir()

    def fetch(self, path: str, size: int) -> Path:  # noqa: ARG002 - as the protocol has it
        """Return the file itself."""
        return self._place(path)

    def move(self, old: str, new: str) -> bool:
        """Rename the folder, with its incomplete files."""
        source, target = self._place(old), self._place(new)
        file_access.make_folder(target.parent)
        if target.exists():
            return False
        with suppress(FileNotFoundError):  # another runner has moved it
            source.rename(target)
        return True

    def clear(self, folder: str) -> None:
        """Do nothing: the staging folder is the store's."""

    def _place(self, path: str) -> Path:
        """Return where a file or folder is; a link could lead to results that are not ours."""
        return file_access.unlinked(self.root / path)

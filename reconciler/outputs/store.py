"""Stores of results: a folder here, or an object store (`object_store`).

A store is a tree of files. Paths are relative to its root and have forward slashes. Threads may share it. Every method
raises `OSError` if the store fails. All classes have the same methods; `FolderStore` says what each one does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from reconciler import file_access
from reconciler.documents import result_summary
from reconciler.outputs.object_store import ObjectStore
from reconciler.outputs.paths import JOBS, RESULTS


class FolderStore:
    """A folder of this machine, or one that several machines mount. Incomplete files are in the same folder.

    The first write creates it. Messages show it as `shown`.
    """

    def __init__(self, root: Path, *, shown: str = "") -> None:
        self.root = root
        self.where = shown or str(root)
        """The root, as messages show it."""

    def jobs(self) -> dict[str, str]:
        """Return the folder of every job that has a summary, whose results are complete, by the folder's own name."""
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
        """Create a small file together with its content. Return False, and change nothing, if it exists."""
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
        """Create or replace a small file: write a temporary one in the same folder, then rename it."""
        place = self._place(path)
        file_access.make_folder(place.parent)
        file_access.replace(place, data, mode=file_access.SHARED)

    def remove(self, path: str) -> None:
        """Delete a file if it exists."""
        self._place(path).unlink(missing_ok=True)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, none if it does not exist."""
        try:
            return tuple(sorted(entry.name for entry in self._place(folder).iterdir()))
        except FileNotFoundError:
            return ()

    def staging_dir(self, folder: str) -> Path:
        """Return the place on this machine of a folder's incomplete files, which stay for a later run: here, itself."""
        return file_access.make_folder(self.root / folder)

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Move complete files from the staging folder to the store: nothing to do."""

    def publish_results(self, folder: str, file: Path, sha256: str) -> str:  # noqa: ARG002 - for an object store
        """Rename a complete file to the results of a name; a reader has the earlier ones or these. Return its name."""
        file.replace(self._place(f"{folder}/{RESULTS}"))
        return RESULTS

    def tidy(self, folder: str, keep: str) -> None:
        """Delete the results of a name unless they are to be kept, and folders that are then empty."""
        if keep != RESULTS:
            self.remove(f"{folder}/{RESULTS}")
            for path in (f"{folder}/{JOBS}", folder):
                with suppress(OSError):
                    self._place(path).rmdir()

    def fetch(self, path: str, size: int) -> Path:  # noqa: ARG002 - for an object store
        """Return a file of the store, which has that many bytes, as one of this machine: here, itself."""
        return self._place(path)

    def move(self, old: str, new: str) -> bool:
        """Rename a job's folder, with its incomplete files. Return False, and change nothing, if the new one exists."""
        source, target = self._place(old), self._place(new)
        file_access.make_folder(target.parent)
        if target.exists():
            return False
        with suppress(FileNotFoundError):  # another runner has moved it
            source.rename(target)
        return True

    def clear(self, folder: str) -> None:
        """Delete the published files from the staging folder: nothing to do."""

    def path(self, folder: str) -> str:
        """Return the path of a folder, as messages show it."""
        return f"{self.where}/{folder}"

    def _place(self, path: str) -> Path:
        """Return where a file or folder is; a link could lead to results that are not ours."""
        return file_access.unlinked(self.root / path)


class UnreadableStore(FolderStore):
    """In place of a store that cannot be read: nothing is there."""

    def jobs(self) -> dict[str, str]:
        """Return no folder."""
        return {}

    def read(self, path: str) -> None:
        """Return None: it does not exist."""

    def fetch(self, path: str, size: int) -> Path:  # noqa: ARG002 - as above
        """Raise `FileNotFoundError`."""
        raise FileNotFoundError(path)


ResultStore: TypeAlias = FolderStore | ObjectStore

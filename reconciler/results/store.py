"""Where results stand, as far as fetching them needs to know: a folder here, or anything else that can do the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from reconciler.documents import result_summary
from reconciler.errors import ReconcilerError


class Store(Protocol):
    """A tree of files by name. Paths are relative to its root and have forward slashes. Threads may share it.

    Every method raises `OSError` where the place behind it fails.
    """

    where: str
    """Its root, for readers."""

    def finished(self, folders: Sequence[str]) -> frozenset[str]:
        """Return those of the folders that hold a summary: everything is there and whole."""

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, None where there is none."""

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file that is not there yet; False where it is, and nothing is changed then."""

    def replace(self, path: str, data: bytes) -> None:
        """Write a small file whole, whether it is there or not."""

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, none where there is no such folder."""

    def workshop(self, folder: str) -> Path:
        """Return a folder of this machine in which the files of that folder are made; what was begun there stays."""

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Bring whole files from the workshop to their place."""

    def clear(self, folder: str) -> None:
        """Empty the workshop of what was published."""

    def path(self, folder: str) -> str:
        """Return a folder as readers write it."""


class Folder:
    """A folder of this machine, or one that several mount. What is being made stands beside what is whole.

    Args:
        root: the destination; made when the first file is written.
        shown: how readers know it.
    """

    def __init__(self, root: Path, *, shown: str = "") -> None:
        self._root = root
        self.where = shown or str(root)

    def finished(self, folders: Sequence[str]) -> frozenset[str]:
        """Return those of the folders that hold a summary."""
        return frozenset(
            folder for folder in folders if (self._root / folder / result_summary.NAME).is_file()
        )

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, None where there is none."""
        try:
            with (self._root / path).open("rb") as file:
                return file.read(result_summary.LARGEST)
        except FileNotFoundError:
            return None

    def create(self, path: str, data: bytes) -> bool:
        """Write a file that is not there yet, which one of many can; its content is there as soon as its name is."""
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._beside(place, data) as beside:
            try:
                os.link(beside, place)
            except FileExistsError:
                return False
            except OSError:  # a file system without links: for a moment the file is empty
                try:
                    with place.open("xb") as file:
                        file.write(data)
                except FileExistsError:
                    return False
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Write a file whole: beside its place, then renamed."""
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._beside(place, data) as beside:
            beside.replace(place)

    @contextmanager
    def _beside(self, place: Path, data: bytes) -> Iterator[Path]:
        beside = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield beside
        finally:
            with suppress(OSError):
                beside.unlink()

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""
        (self._root / path).unlink(missing_ok=True)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder."""
        try:
            return tuple(sorted(entry.name for entry in (self._root / folder).iterdir()))
        except FileNotFoundError:
            return ()

    def workshop(self, folder: str) -> Path:
        """Return the folder itself: what is made there is renamed into its place."""
        place = self._root / folder
        place.mkdir(parents=True, exist_ok=True)
        return place

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Do nothing: a file that is whole has its name."""

    def clear(self, folder: str) -> None:
        """Do nothing: the workshop is the place."""

    def path(self, folder: str) -> str:
        """Return a folder as readers write it."""
        return f"{self.where}/{folder}"


def store_at(to: str, *, start: Path, staging: Path) -> Store:
    """Return the store that `--to` names.

    Args:
        to: a folder, or the URL of an object store.
        start: what a relative folder is relative to.
        staging: where files are made that go elsewhere.

    Raises:
        ReconcilerError: it needs a package that is not installed, or cannot be understood.
    """
    scheme, separator, rest = to.partition("://")
    if not separator:
        return Folder(start / to, shown=to.rstrip("/\\") or to)
    if scheme in ("file", "local"):
        return Folder(Path(rest), shown=to.rstrip("/"))
    try:
        from reconciler.results.object_store import Objects  # noqa: PLC0415 - the package is an extra
    except ModuleNotFoundError as error:
        raise ReconcilerError(
            f"{scheme}:// needs the package {error.name}",
            hint='pip install "mistral-batch-reconciler[objects]", and what fsspec needs for the scheme, such as s3fs',
        ) from error
    return Objects(to, staging=staging)

"""An object store as a place for results, through fsspec: one library, many stores, each with a package of its own.

An object appears whole or not at all, so nothing has to be renamed there: files are made on this machine and sent
when they are whole. A claim is a conditional create where the store's package has one (S3 and Google Cloud Storage
do); elsewhere fsspec looks first and then writes, and two runners that begin within the same moment may both fetch a
result, with the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec

from reconciler.documents import result_summary
from reconciler.errors import ReconcilerError


class Objects:
    """A tree below the URL of an object store.

    Args:
        url: such as `s3://bucket/outputs`; credentials come from where the store's package looks for them.
        staging: a folder of this machine for files that are being made.

    Raises:
        ReconcilerError: fsspec does not know the scheme, or its package is not installed.
    """

    def __init__(self, url: str, *, staging: Path) -> None:
        self.where = url.rstrip("/")
        self._staging = staging
        fs: Any
        try:
            fs, root = fsspec.core.url_to_fs(self.where)
        except (ImportError, ValueError) as error:
            raise ReconcilerError(
                f"{self.where} cannot be opened: {error}",
                hint="install what fsspec needs for the scheme, such as s3fs for s3:// and gcsfs for gs://",
            ) from error
        self._fs = fs
        self._root = root.rstrip("/")

    def finished(self, folders: Sequence[str]) -> frozenset[str]:
        """Return those of the folders that hold a summary: one listing, however many they are."""
        if not folders:
            return frozenset()
        self._fs.invalidate_cache()
        found = self._fs.glob(f"{self._root}/*/*/*/{result_summary.NAME}")
        there = {
            path.removesuffix(f"/{result_summary.NAME}").split("/", path.count("/") - 3)[-1] for path in found
        }
        return frozenset(folder for folder in folders if folder in there)

    def read(self, path: str) -> bytes | None:
        """Return a small object's content, None where there is none."""
        try:
            data: bytes = self._fs.cat_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return None
        return data

    def create(self, path: str, data: bytes) -> bool:
        """Write an object that is not there yet."""
        try:
            self._fs.pipe_file(f"{self._root}/{path}", data, mode="create")
        except FileExistsError:
            return False
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Write an object."""
        self._fs.pipe_file(f"{self._root}/{path}", data)

    def remove(self, path: str) -> None:
        """Delete an object, if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{path}")

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, asked anew each time."""
        self._fs.invalidate_cache()
        try:
            found: list[str] = self._fs.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return ()
        return tuple(sorted(path.rstrip("/").rpartition("/")[2] for path in found))

    def workshop(self, folder: str) -> Path:
        """Return a folder of this machine."""
        place = self._staging / folder
        place.mkdir(parents=True, exist_ok=True)
        return place

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Send whole files."""
        for name in names:
            self._fs.put_file(str(self._staging / folder / name), f"{self._root}/{folder}/{name}")

    def clear(self, folder: str) -> None:
        """Delete what was made here: the store has it."""
        shutil.rmtree(self._staging / folder, ignore_errors=True)

    def path(self, folder: str) -> str:
        """Return a folder as readers write it."""
        return f"{self.where}/{folder}"

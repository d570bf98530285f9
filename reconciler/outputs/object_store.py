"""Results in an object store, through fsspec and the package that it needs for the scheme.

An object appears completely or not at all, so files are written on this machine and uploaded when they are complete.
A claim is a conditional create if the store's package supports it (S3 and Google Cloud Storage do). Otherwise fsspec
checks and then writes, so two runners that start at the same moment may both download a result, with the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from reconciler import file_access
from reconciler.documents import result_summary
from reconciler.errors import ReconcilerError
from reconciler.outputs.paths import JOBS

_PIECES: Final = {"chunksize": 8 << 20, "max_concurrency": 2}
"""How much of a large file s3fs has in memory: bytes of a piece, and how many. Only ledgers use it."""


def _options(url: str) -> dict[str, int]:
    """Return the options of a file system. s3fs asks for the size of an object first if it may read it in parallel."""
    return {"max_concurrency": 1} if url.startswith("s3://") else {}


class ObjectStore:
    """A tree below the URL of an object store, such as `s3://bucket/outputs`; its package finds the credentials.

    `staging` is a folder of this machine for incomplete files. Raises `ReconcilerError` if fsspec does not know the
    scheme, or its package is not installed; `ModuleNotFoundError` if fsspec is not installed.
    """

    def __init__(self, url: str, *, staging: Path) -> None:
        import fsspec  # noqa: PLC0415 - the package is an extra

        self.where = url.rstrip("/")
        self._staging = staging
        try:
            self._fs, root = fsspec.core.url_to_fs(self.where, **_options(self.where))
        except (ImportError, ValueError) as error:
            raise ReconcilerError(
                f"{self.where} cannot be opened: {error}",
                hint="install the package that fsspec needs for the scheme, such as s3fs for s3:// or gcsfs for gs://",
            ) from error
        self._root = root.rstrip("/")

    def jobs(self) -> dict[str, str]:
        """Return the folder of every job that has a summary, with one listing for all."""
        self._fs.invalidate_cache()
        found: list[str] = self._fs.glob(f"{self._root}/*/{JOBS}/*/{result_summary.NAME}")
        folders = ("/".join(path.split("/")[-4:-1]) for path in found)
        return {folder.rpartition("/")[2]: folder for folder in folders}

    def read(self, path: str) -> bytes | None:
        """Return a small object's content, None if it does not exist."""
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{path}"))
        except FileNotFoundError:
            return None

    def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the contents of small objects, None for those that do not exist."""
        places = [f"{self._root}/{path}" for path in paths]
        found = self._fs.cat(places, on_error="return")
        for it in found.values():
            if isinstance(it, Exception) and not isinstance(it, FileNotFoundError):
                raise it
        return [None if isinstance(found[place], Exception) else found[place] for place in places]

    def create(self, path: str, data: bytes) -> bool:
        """Create an object. Return False if it exists."""
        try:
            self._fs.pipe_file(f"{self._root}/{path}", data, mode="create")
        except FileExistsError:
            return False
        return True

    def upload(self, path: str, place: Path) -> bool:
        """Create an object from a file, a piece at a time. Return False if it exists."""
        try:
            self._fs.put_file(str(place), f"{self._root}/{path}", mode="create", **_PIECES)
        except FileExistsError:
            return False
        return True

    def download(self, path: str, place: Path) -> None:
        """Write an object into a file, a piece at a time."""
        self._fs.get_file(f"{self._root}/{path}", str(place), **_PIECES)

    def replace(self, path: str, data: bytes) -> None:
        """Create or replace an object."""
        self._fs.pipe_file(f"{self._root}/{path}", data)

    def remove(self, path: str) -> None:
        """Delete an object if it exists."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{path}")

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, without a cache."""
        self._fs.invalidate_cache()
        try:
            found: list[str] = self._fs.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return ()
        return tuple(sorted(path.rstrip("/").rpartition("/")[2] for path in found))

    def staging_dir(self, folder: str) -> Path:
        """Return the staging folder on this machine."""
        return file_access.make_folder(self._staging / folder)

    def publish(self, folder: str, names: Iterable[str]) -> None:
        """Upload complete files."""
        for name in names:
            self._fs.put_file(str(self._staging / folder / name), f"{self._root}/{folder}/{name}")

    def publish_results(self, folder: str, file: Path, sha256: str) -> str:
        """Upload the file under a name of its own, which the summary then names."""
        name = f"results-{sha256[:12]}.jsonl"
        self._fs.put_file(str(file), f"{self._root}/{folder}/{name}")
        return name

    def tidy(self, folder: str, keep: str) -> None:
        """Delete the results of a name that its summary no longer names."""
        for name in self.names(folder):
            if name.startswith("results-") and name != keep:
                self.remove(f"{folder}/{name}")

    def fetch(self, path: str, size: int) -> Path:
        """Download a file, unless it is still in the staging folder."""
        place = self._staging / path
        if not place.exists() or place.stat().st_size != size:
            file_access.make_folder(place.parent)
            self._fs.get_file(f"{self._root}/{path}", str(place))
        return place

    def move(self, old: str, new: str) -> bool:
        """Copy the files of a folder, the summary last, and delete the originals, the summary first."""
        names = sorted(self.names(old), key=lambda name: name == result_summary.NAME)
        for name in names:
            self._fs.cp_file(f"{self._root}/{old}/{name}", f"{self._root}/{new}/{name}")
        for name in reversed(names):
            self.remove(f"{old}/{name}")
        return True

    def clear(self, folder: str) -> None:
        """Delete the staging folder."""
        shutil.rmtree(self._staging / folder, ignore_errors=True)

    def path(self, folder: str) -> str:
        """Return the URL of a folder, as messages show it."""
        return f"{self.where}/{folder}"

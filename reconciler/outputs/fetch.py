"""Fetch a content from an object store or by HTTPS. Its size and its SHA-256 are checked on the way.

The credentials are those of the environment, which the package for the scheme finds; HTTPS has none. The content is
written to a file of this machine, in pieces, and appears there only if it is the one that is declared.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from msgspec.structs import replace

from reconciler import file_access
from reconciler.api import deadline, https_file
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.model import InputFile, TableRows
from reconciler.text.plural import pluralize

MAX_BYTES: Final = 100_000_000_000
"""Bytes of a content whose size is not declared."""
_PIECE: Final = 1 << 20
_UNREADABLE: Final = (
    "check that it exists and that the credentials of this environment can read it; then run again"
)


def copy_of(it: InputFile, folder: Path) -> Path:
    """Return the file in a folder of copies that a content has."""
    return folder / f"{it.sha256}{Path(it.uri).suffix.lower()}"


def read_copies(source: TableRows, folder: Path) -> TableRows:
    """Return a table that reads the contents at URIs from their copies in a folder."""
    paths = {it.path: str(copy_of(it, folder)) if it.uri else it.path for it in source.files}
    return replace(
        source,
        files=tuple(
            replace(it, path=paths[it.path], pointer=it.pointer and not it.uri) for it in source.files
        ),
        views={name: tuple(map(paths.__getitem__, each)) for name, each in source.views.items()},
    )


def fetch(env: Environment, it: InputFile, folder: Path, *, seconds: float) -> None:
    """Write the content at a URI to its copy in a folder, unless that has it already.

    It may take some seconds, and more at 32 KiB/s or faster. Raises `ReconcilerError` if the content cannot be read or
    is another one, or the copy cannot be written.
    """
    uri, to, sha256, size = it.uri, copy_of(it, folder), it.sha256, it.size
    part = to.with_name(f"{to.name}.{os.getpid()}.part")
    try:
        if is_here(it, folder):
            return
        file_access.make_folder(to.parent)
        with deadline.running(seconds, env.monotonic) as limit, file_access.recreate(part) as target:
            received, found = _write(env, _pieces(env, uri, seconds), target, limit, size or MAX_BYTES)
        _require(received, found, size, sha256)
        part.replace(to)
    except Exception as error:  # whatever the package for the scheme raises
        hint = getattr(error, "hint", "") or _UNREADABLE
        raise ReconcilerError(f"{uri}: {_reason(error)}", hint=hint) from error
    finally:
        part.unlink(missing_ok=True)


def _write(
    env: Environment, pieces: Iterator[bytes], target: BinaryIO, limit: deadline.Deadline, most: int
) -> tuple[int, str]:
    """Write pieces, and return the number of their bytes and the SHA-256; at most one piece more than `most` bytes."""
    digest, received = hashlib.sha256(), 0
    for piece in pieces:
        received += len(piece)
        digest.update(piece)
        target.write(piece)
        env.progress.advance("fetching", len(piece))
        limit.received(len(piece))
        limit.check()
        if env.stop.is_set():
            raise ReconcilerError("it was not read whole, because the run was stopped", hint="run again")
        if received > most:
            break
    return received, digest.hexdigest()


def is_here(it: InputFile, folder: Path) -> bool:
    """Return whether a folder has a copy of a content."""
    file = copy_of(it, folder)
    if not file.exists():
        return False
    with file_access.open_to_read(file, buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == it.sha256  # type: ignore[arg-type]  # has readinto


def _pieces(env: Environment, uri: str, seconds: float) -> Iterator[bytes]:
    if uri.startswith("https://"):
        yield from https_file.pieces(uri, seconds=seconds, wrap=env.wrap_transport)
        return
    try:
        import fsspec  # noqa: PLC0415 - the package is an extra

        store, path = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        hint = 'pip install "mistral-batch-reconciler[objects]", and the package for the scheme, such as s3fs'
        raise ReconcilerError(str(error), hint=hint) from error
    store.invalidate_cache()
    with store.open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _require(received: int, found: str, size: int, sha256: str) -> None:
    """Raise `ReconcilerError` unless a content is the one that is declared."""
    if found == sha256 and received == (size or received):
        return
    if received > (size or MAX_BYTES):
        got = f"more than {pluralize(size or MAX_BYTES, 'byte')}; the first {received:,} have sha256 {found}"
    else:
        got = f"{pluralize(received, 'byte')} with sha256 {found}"
    wanted = f"{pluralize(size, 'byte')} with sha256 {sha256}" if size else f"sha256 {sha256}"
    raise ReconcilerError(
        f"it has another content than is declared: {got}, instead of {wanted}",
        hint="if the new content is wanted, declare its digest and review the plan; otherwise restore the content",
    )


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error)
    words = {FileNotFoundError: "it does not exist", PermissionError: f"it may not be read: {said}"}
    return next((it for kind, it in words.items() if isinstance(error, kind)), said or type(error).__name__)

"""Write a result to a file."""

from __future__ import annotations

from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.specs import files


def save(path: Path, data: bytes) -> None:
    """Write a file atomically. A path that is not a regular file (`/dev/stdout`, a link) is written in place.

    Raises:
        ReconcilerError: the folder is missing or cannot be written.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(data)
        else:
            files.replace(str(path), data)
    except OSError as error:
        raise ReconcilerError(
            f"{path} cannot be written: {error.strerror}", hint="choose a file in an existing folder"
        ) from error

"""Write a result to a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reconciler.errors import ReconcilerError


def save(path: Path, data: bytes) -> None:
    """Write a file atomically. A path that is not a regular file (`/dev/stdout`, a link) is written in place.

    Raises:
        ReconcilerError: the folder is missing or cannot be written.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(data)
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReconcilerError(
            f"{path} cannot be written: {error.strerror}", hint="choose a file in an existing folder"
        ) from error

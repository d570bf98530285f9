"""Write a result to a file."""

from __future__ import annotations

from pathlib import Path

from reconciler import file_access
from reconciler.errors import ReconcilerError


def save(path: Path, data: bytes) -> None:
    """Write a file atomically.

    Raises:
        ReconcilerError: the folder is missing or cannot be written, or the path is a link.
    """
    try:
        file_access.replace(path, data)
    except OSError as error:
        hint = file_access.hint_of(error, "choose a file in an existing folder")
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}", hint=hint) from error

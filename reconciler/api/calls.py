"""Requests to the API as values: method, path, query and body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from msgspec import Struct

from reconciler.errors import ReconcilerError
from reconciler.model.jobs import ID_PATTERN

JOBS: Final = "/v1/batch/jobs"
FILES: Final = "/v1/files"


class Call(Struct, frozen=True, kw_only=True):
    """A request, without the host and the key."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    """A JSON body."""
    form: Mapping[str, str] | None = None
    """The fields of a form, apart from `files`."""
    files: Mapping[str, Any] | None = None
    """The file to send with the form, in the shape that httpx takes."""
    inline: bool = False
    """Whether the body contains the requests of a job, and so may be large."""
    least_seconds: float = 0.0
    """Minimum timeout: used if the client's own is shorter."""
    sends: int = 0
    """Bytes of `files`: a slow connection may take longer for more of them."""
    start: int = 0
    """First byte of the file to ask for (`Range`). The API may send the whole file anyway."""


def _path(within: str, an_id: str, part: str = "") -> str:
    """Return the path of a job or of a file, of an action on it, or of a part of it.

    Raises `ReconcilerError` if `an_id` cannot be an id.
    """
    if not re.match(ID_PATTERN, an_id):
        raise ReconcilerError(
            f"{an_id!r} is not an id", hint="ids look like 4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f"
        )
    return f"{within}/{an_id}{part}"


job_path: Final = partial(_path, JOBS)
file_path: Final = partial(_path, FILES)

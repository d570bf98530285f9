"""Our uploads in the workspace: their names, their list, and which of them has which content.

Everyone who can write to the workspace can create a file with such a name, and the API shows only the size and the
number of lines of its content. All users of a workspace are trusted, so that is enough. With `uploads: {reuse: false}`
no existing upload is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reconciler.api.client import Reader
from reconciler.api.values import File
from reconciler.model import InputFile

PAGE_SIZE: Final = 100
MAX_PAGES: Final = 1000
"""Upper bound on pages, so that a server that never ends its list cannot block us."""
_NAME: Final = re.compile(r"[0-9a-f]{64}\.jsonl")


def name_of(sha256: str) -> str:
    """Return the name of an upload of this content."""
    return f"{sha256}.jsonl"


def is_ours(file: File) -> bool:
    """Return whether a file is an upload of ours: it has such a name, and no field says otherwise."""
    return (
        _NAME.fullmatch(file.filename) is not None
        and file.purpose in ("batch", None)
        and file.sample_type in ("batch_request", None)
        and file.source == "upload"
        and not file.deleted
    )


def list_uploads(reader: Reader) -> Iterator[File]:
    """Yield our uploads, each once. A missing one may still exist: pages shift while they are read.

    Raises `ApiError` if a page could not be read.
    """
    seen: set[str] = set()
    for page in range(MAX_PAGES):
        found = reader.list_uploads(page=page, page_size=PAGE_SIZE)
        for file in found.files:
            if file.id not in seen and is_ours(file):
                yield file
            seen.add(file.id)
        if not found.files or (found.total is not None and len(seen) >= found.total):
            return


def not_expired(file: File, until: float) -> bool:
    """Return whether a file exists until then, as far as the API says."""
    return file.expires_at is None or file.expires_at > until


def matches(file: File, part: InputFile, *, until: float, visibility: str | None) -> bool:
    """Return whether an upload has this content, as far as the API shows it, and exists long enough."""
    return (
        file.filename == name_of(part.sha256)
        and file.size == part.size
        and (None in (file.num_lines, part.requests) or file.num_lines == part.requests)
        and (None in (file.visibility, visibility) or file.visibility == visibility)
        and not_expired(file, until)
    )

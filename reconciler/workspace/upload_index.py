"""Our uploads in the workspace: how they are named, how they are listed, and which of them holds what.

Whoever can write to the workspace can name a file as we do; the size and the count of lines are all that the API shows
of its content. A workspace is one circle of trust, so that is taken; `uploads: {reuse: false}` takes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final

from reconciler.api.client import Reader
from reconciler.api.values import File
from reconciler.model import InputFile, Job

PAGE_SIZE: Final = 100
MOST_PAGES: Final = 1000
"""So many pages are read at most: a server that never ends its list must not keep us."""
FRESH_SECONDS: Final = 3600
"""A younger upload may be another run's whose job is about to be created."""
_NAME: Final = re.compile(r"[0-9a-f]{64}\.jsonl")


def name_of(sha256: str) -> str:
    """Return what an upload of this content is called."""
    return f"{sha256}.jsonl"


def is_ours(file: File) -> bool:
    """Tell whether a file is an upload of ours: by its name, and by nothing that speaks against it."""
    return (
        _NAME.fullmatch(file.filename) is not None
        and file.purpose in ("batch", None)
        and file.sample_type in ("batch_request", None)
        and file.source == "upload"
        and not file.deleted
    )


def ours(reader: Reader) -> Iterator[File]:
    """Yield our uploads, each once. What is missing may still be there: pages shift while they are read.

    Raises:
        ApiError: a page could not be had.
    """
    seen: set[str] = set()
    for page in range(MOST_PAGES):
        found = reader.list_files(
            page=page,
            page_size=PAGE_SIZE,
            purpose="batch",
            sample_type=("batch_request",),
            source=("upload",),
        )
        for file in found.files:
            if file.id not in seen and is_ours(file):
                yield file
            seen.add(file.id)
        if not found.files or (found.total is not None and len(seen) >= found.total):
            return


def unneeded(
    uploads: Iterable[File], jobs: Iterable[Job], named: Container[str], *, now: float
) -> list[File]:
    """Return the uploads that nothing needs, the oldest first. Pure.

    Args:
        uploads: ours.
        jobs: everybody's: two projects may share a workspace, and an upload.
        named: ids that specs name.
        now: Unix seconds.
    """
    needed = {file_id for job in jobs if not job.phase.ended for file_id in job.input_files}
    found = [
        file
        for file in uploads
        if file.id not in needed and file.id not in named and file.created_at < now - FRESH_SECONDS
    ]
    return sorted(found, key=lambda file: (file.created_at, file.id))


def lives(file: File, until: float) -> bool:
    """Tell whether a file is there until then, as far as the API says."""
    return file.expires_at is None or file.expires_at > until


def holds(file: File, part: InputFile, *, until: float, visibility: str | None) -> bool:
    """Tell whether an upload is this content, as far as the API shows it, and stays long enough."""
    return (
        file.filename == name_of(part.sha256)
        and file.size == part.size
        and (None in (file.num_lines, part.requests) or file.num_lines == part.requests)
        and (None in (file.visibility, visibility) or file.visibility == visibility)
        and lives(file, until)
    )

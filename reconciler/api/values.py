"""A request as a value, and the client's parameters and results, apart from `reconciler.model.Job`. Frozen values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from reconciler.errors import ReconcilerError
from reconciler.model import Job
from reconciler.model.jobs import ID_PATTERN, Count, Time

JOBS: Final = "/v1/batch/jobs"
FILES: Final = "/v1/files"
MODELS: Final = "/v1/models"

Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[!-~]+\Z")]
"""Visible ASCII: ids appear unchanged in URLs, tables and logs."""


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
    least_seconds: float = 0.0
    """Minimum timeout: used if the client's own is shorter."""
    most_seconds: float = math.inf
    """Maximum timeout: used if the client's own is longer."""
    most_bytes: int = 64 * 1024 * 1024
    """Maximum bytes of the answer's JSON, decompressed. A page of 1,000 jobs with full metadata has 5 MB."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """A job to create: the body of `POST /v1/batch/jobs`."""

    endpoint: str
    input_files: tuple[str, ...] = ()
    """Ids of uploaded files."""
    model: str | None = None
    agent_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    timeout_hours: int = 24


class OddRow(Struct, frozen=True, kw_only=True):
    """A row of the list that does not match the API's description."""

    number: int
    """Of the row in its page, from 1."""
    job: Job
    """What can be read of it; its id is "" if that cannot, its status `unreadable`."""
    problem: str
    unreadable: frozenset[str]
    """The fields that cannot be read."""
    has_lost_tags: bool
    """Whether its metadata cannot be read and names this tool: it may be the job of any project and name."""

    @property
    def has_id(self) -> bool:
        """Whether its id can be read."""
        return "id" not in self.unreadable


class JobPage(Struct, frozen=True, kw_only=True):
    """One page of the list of jobs, in the requested order."""

    jobs: tuple[Job, ...]
    total: int
    """How many jobs the whole list has, as this page reports it; 0 if `odd_total` is not ""."""
    odd_total: str = ""
    """What the page has in place of a total, as JSON."""
    odd: tuple[OddRow, ...] = ()
    """The rows that do not match the API's description."""


class File(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file in the workspace, as the API returns it. A field is None if the API omits it."""

    id: Id
    filename: str
    created_at: Time
    """Unix seconds by the server's clock, like `expires_at`."""
    size: Count | None = msgspec.field(default=None, name="bytes")
    """Bytes."""
    purpose: str | None = None
    sample_type: str | None = None
    """`batch_request`, `batch_result`, `batch_error`, …: an open list."""
    source: str | None = None
    num_lines: Count | None = None
    mimetype: str | None = None
    expires_at: Time | None = None
    visibility: str | None = None
    deleted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file's bytes while they arrive."""

    start: int
    """Offset of the first piece in the file: 0 if the API sends the whole file."""
    size: int | None
    """Bytes of the whole file, None if the answer does not say."""
    media_type: str = ""
    """The answer's `Content-Type` without parameters, lower case; "" if it has none."""
    pieces: Iterator[bytes] = field(repr=False)


class FilePage(Struct, frozen=True, kw_only=True):
    """One page of the list of files."""

    files: tuple[File, ...]
    total: int | None
    """How many files the whole list has; None if the API does not say."""


class Upload(Struct, frozen=True, kw_only=True):
    """An uploaded file."""

    file: File
    sha256: str
    """SHA-256 of the bytes sent, lower-case hexadecimal. Compare it with the planned one."""


class RequestRecord(Struct, frozen=True, kw_only=True):
    """One attempt at one request, for the log. It has no query, no header and no body."""

    method: str
    path: str
    status: int | None
    """None if no answer came."""
    elapsed_ms: int
    """From sending to the last byte of the answer."""
    attempt: int
    """1-based."""
    served_at: float | None = None
    """Time of the answer by the server's clock, Unix seconds; None if the answer has no `Date`."""
    error: str = ""
    """Class name of the attempt's error, "" if it succeeded."""

"""What goes into the client and comes out of it, beside `reconciler.model.Job`. Frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """A job to be bought: the body of `POST /v1/batch/jobs`."""

    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    input_files: tuple[str, ...] = ()
    """Ids of uploaded files."""
    requests: bytes | None = field(default=None, repr=False)
    """Inline requests: a JSON list, sent exactly as it stands here."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    timeout_hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of the list of jobs, in the order that was asked for."""

    jobs: tuple[Job, ...]
    total: int
    """How many jobs the whole list holds, as the API says with this page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file in the workspace, as the API returns it. None where the API leaves something out."""

    id: str
    filename: str
    created_at: int
    """Unix seconds, the server's clock; so is `expires_at`."""
    size: int | None = None
    """Bytes."""
    purpose: str | None = None
    sample_type: str | None = None
    """`batch_request`, `batch_result`, `batch_error`, …: an open list."""
    source: str | None = None
    num_lines: int | None = None
    mimetype: str | None = None
    signature: str | None = None
    expires_at: int | None = None
    visibility: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file's bytes on their way."""

    start: int
    """Where in the file the pieces begin: 0 where the API does not continue."""
    size: int | None
    """Bytes of the whole file, None where the answer does not say."""
    pieces: Iterator[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePage:
    """One page of the list of files."""

    files: tuple[File, ...]
    total: int | None
    """How many files the whole list holds; None where the API does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was sent."""

    file: File
    sha256: str
    """Of the bytes that went out, lower-case hexadecimal: to be compared with what was planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One attempt at one request, for the log. Holds no query, no header and no body."""

    method: str
    path: str
    status: int | None
    """None where no answer came."""
    elapsed_ms: int
    """From sending to the last byte of the answer."""
    attempt: int
    """1-based."""
    served_at: float | None = None
    """What the server's clock says in the answer, Unix seconds; None where it does not say."""
    error: str = ""
    """The class of the error that the attempt ended in, "" where it went well."""

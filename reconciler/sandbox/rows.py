"""The tables of files and of jobs: their rows, and the searches in them."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from reconciler.sandbox import store
from reconciler.sandbox.http import Page
from reconciler.sandbox.inputs import InputError
from reconciler.sandbox.lifecycle import Course, Status


class FileRow(Struct, frozen=True, kw_only=True):
    """One file of a workspace."""

    id: str
    filename: str
    purpose: str
    sample_type: str
    source: str
    mimetype: str
    visibility: str
    created_at: float
    """Unix seconds; for a job's results, the job's end."""
    expires_at: float | None = None
    num_lines: int | None = None
    bytes: int | None = None
    """None for a job's results, which every read generates."""
    signature: str | None = None
    content: int | None = None
    """The content of an upload."""
    job: str | None = None
    """The id of the job, for its results."""


Purpose: TypeAlias = Literal["fine-tune", "batch", "ocr", "agentic_safety"]


class FileQuery(Page, frozen=True, kw_only=True):
    """The parameters of a list of files; None means no condition."""

    purpose: Purpose | None = None
    search: str | None = None
    """A substring of the file's name, in any case."""
    sample_type: (
        list[Literal["pretrain", "instruct", "batch_request", "batch_result", "batch_error"]] | None
    ) = None
    source: list[Literal["upload", "repository", "mistral"]] | None = None
    mimetypes: list[str] | None = None
    include_total: bool = True


_COLUMNS: Final = FileRow.__struct_fields__
_INSERT_FILE: Final = (
    f"INSERT INTO files (workspace, {', '.join(_COLUMNS)}) VALUES (:workspace, :{', :'.join(_COLUMNS)})"  # noqa: S608
)
_VISIBLE = "(job IS NULL OR created_at <= :now) AND (expires_at IS NULL OR expires_at > :now)"
_MATCHING_FILES = f"""
    FROM files WHERE workspace = :workspace AND {_VISIBLE}
    AND (:purpose IS NULL OR purpose = :purpose)
    AND (:search IS NULL OR instr(lower(filename), lower(:search)) > 0)
    AND (:sample_type IS NULL OR sample_type IN (SELECT value FROM json_each(:sample_type)))
    AND (:source IS NULL OR source IN (SELECT value FROM json_each(:source)))
    AND (:mimetypes IS NULL OR mimetype IN (SELECT value FROM json_each(:mimetypes)))
"""  # noqa: S608
_FIND_FILE = f"SELECT * FROM files WHERE id = :id AND workspace = :workspace AND {_VISIBLE}"  # noqa: S608


def insert_file(db: sqlite3.Connection, workspace: str, file: FileRow) -> None:
    """Add a file."""
    db.execute(_INSERT_FILE, {**asdict(file), "workspace": workspace})


def find_file(db: sqlite3.Connection, workspace: str, file_id: str, now: float) -> FileRow | None:
    """Return a file of this workspace that exists at `now`."""
    row = db.execute(_FIND_FILE, {"id": file_id, "workspace": workspace, "now": now}).fetchone()
    return None if row is None else _file(row)


def list_files(
    db: sqlite3.Connection, workspace: str, query: FileQuery, now: float
) -> tuple[list[FileRow], int]:
    """Return one page of the matching files, newest first, and the number of all matches."""
    values = {**msgspec.structs.asdict(query), "workspace": workspace, "now": now}
    rows, total = store.page(db, _MATCHING_FILES, "created_at DESC, seq DESC", values)
    return [_file(row) for row in rows], total


def _file(row: sqlite3.Row) -> FileRow:
    return FileRow(**{name: row[name] for name in _COLUMNS})


class JobRow(Struct, frozen=True, kw_only=True):
    """A job as it was created and perhaps cancelled. Its state at any time follows from that."""

    id: str
    endpoint: str
    model: str | None
    agent_id: str | None
    metadata: dict[str, str] | None
    input_files: list[str]
    errors: list[InputError]
    """The errors of its validation, which the API shows after validation."""
    course: Course


class JobQuery(Page, frozen=True, kw_only=True):
    """The parameters of a list of jobs; None means no condition."""

    model: str | None = None
    agent_id: str | None = None
    metadata: str | None = None
    """A JSON object: pairs that a job's metadata must have."""
    created_after: datetime | None = None
    """Without an offset it is UTC."""
    created_by_me: bool = False
    """No condition: a sandbox workspace has one user, who created every job."""
    status: list[Status] | None = None
    order_by: Literal["created", "-created"] = "-created"


_MATCHING_JOBS: Final = """
    FROM jobs WHERE workspace = :workspace
    AND (:model IS NULL OR model = :model)
    AND (:agent_id IS NULL OR agent_id = :agent_id)
    AND (:created_after IS NULL OR created_at > :created_after)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM json_each(jobs.metadata) AS held
            WHERE held.key = wanted.key AND held.value = wanted.value))
    AND (:status IS NULL OR job_status(:now, job) IN (SELECT value FROM json_each(:status)))
"""
_SAVE_JOB: Final = """
    INSERT INTO jobs (id, workspace, created_at, model, agent_id, metadata, job)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET metadata = excluded.metadata, job = excluded.job
"""
_decode_job = msgspec.msgpack.Decoder(JobRow).decode


def save_job(db: sqlite3.Connection, workspace: str, job: JobRow) -> None:
    """Add a job, or replace the job with this id."""
    metadata = None if job.metadata is None else store.as_json(job.metadata)
    created_at, whole = job.course.created_at, msgspec.msgpack.encode(job)
    db.execute(_SAVE_JOB, (job.id, workspace, created_at, job.model, job.agent_id, metadata, whole))


def find_job(db: sqlite3.Connection, workspace: str, job_id: str) -> JobRow | None:
    """Return a job of this workspace."""
    row = db.execute("SELECT job FROM jobs WHERE id = ? AND workspace = ?", (job_id, workspace)).fetchone()
    return None if row is None else _decode_job(row["job"])


def list_jobs(
    db: sqlite3.Connection, workspace: str, query: JobQuery, metadata: dict[str, str], now: float
) -> tuple[list[JobRow], int]:
    """Return one page of the matching jobs, and the number of all matches."""
    after = query.created_after
    values = {
        **msgspec.structs.asdict(query),
        "workspace": workspace,
        "metadata": metadata,
        "created_after": after and after.replace(tzinfo=after.tzinfo or UTC).timestamp(),
        "now": now,
    }
    order = "created_at DESC, seq DESC" if query.order_by == "-created" else "created_at, seq"
    rows, total = store.page(db, _MATCHING_JOBS, order, values)
    return [_decode_job(row["job"]) for row in rows], total


def inputs_of(db: sqlite3.Connection, job_id: str) -> list[int]:
    """Return the contents of a job's inputs, in order."""
    rows = db.execute("SELECT content FROM job_inputs WHERE job = ? ORDER BY position", (job_id,))
    return [row["content"] for row in rows]

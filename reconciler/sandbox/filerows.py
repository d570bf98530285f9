"""The table of files: uploads and results of jobs."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, fields
from typing import Final, Literal, TypeAlias

import msgspec

from reconciler.sandbox import store
from reconciler.sandbox.queries import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
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


_COLUMNS: Final = tuple(field.name for field in fields(FileRow))
_INSERT: Final = (
    f"INSERT INTO files (workspace, {', '.join(_COLUMNS)}) VALUES (:workspace, :{', :'.join(_COLUMNS)})"  # noqa: S608
)
_VISIBLE = "(job IS NULL OR created_at <= :now) AND (expires_at IS NULL OR expires_at > :now)"
_MATCHING = f"""
    FROM files WHERE workspace = :workspace AND {_VISIBLE}
    AND (:purpose IS NULL OR purpose = :purpose)
    AND (:search IS NULL OR instr(lower(filename), lower(:search)) > 0)
    AND (:sample_type IS NULL OR sample_type IN (SELECT value FROM json_each(:sample_type)))
    AND (:source IS NULL OR source IN (SELECT value FROM json_each(:source)))
    AND (:mimetypes IS NULL OR mimetype IN (SELECT value FROM json_each(:mimetypes)))
"""  # noqa: S608
_FIND = f"SELECT * FROM files WHERE id = :id AND workspace = :workspace AND {_VISIBLE}"  # noqa: S608


def insert(db: sqlite3.Connection, workspace: str, file: FileRow) -> None:
    """Add a file."""
    db.execute(_INSERT, {**asdict(file), "workspace": workspace})


def delete_results(db: sqlite3.Connection, job_id: str) -> None:
    """Delete the result files of a job."""
    db.execute("DELETE FROM files WHERE job = ?", (job_id,))


def find(db: sqlite3.Connection, workspace: str, file_id: str, now: float) -> FileRow | None:
    """Return a file of this workspace that exists at `now`."""
    row = db.execute(_FIND, {"id": file_id, "workspace": workspace, "now": now}).fetchone()
    return None if row is None else _file(row)


def page(db: sqlite3.Connection, workspace: str, query: FileQuery, now: float) -> tuple[list[FileRow], int]:
    """Return one page of the matching files, newest first, and the number of all matches."""
    values = {**msgspec.structs.asdict(query), "workspace": workspace, "now": now}
    rows, total = store.page(db, _MATCHING, "created_at DESC, seq DESC", values)
    return [_file(row) for row in rows], total


def delete(db: sqlite3.Connection, file_id: str) -> None:
    """Delete a file."""
    db.execute("DELETE FROM files WHERE id = ?", (file_id,))


def _file(row: sqlite3.Row) -> FileRow:
    return FileRow(**{name: row[name] for name in _COLUMNS})

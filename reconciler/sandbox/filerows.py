"""The table of files: uploads and results of jobs.

A job's result files have rows from its creation on, dated with its end. Reads show them from that time on, so that no
read has to write.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, fields

import msgspec

from reconciler.sandbox import lifecycle, results
from reconciler.sandbox.jobrows import JobRow


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Which files to list; None means no condition."""

    purpose: str | None
    search: str | None
    """A substring of the file's name, in any case."""
    sample_types: list[str] | None
    sources: list[str] | None
    mimetypes: list[str] | None


# The SQL is made of constants only: values of a request are always parameters.
_VISIBLE = "(job IS NULL OR created_at <= :now) AND (expires_at IS NULL OR expires_at > :now)"
_MATCHING = f"""
    FROM files WHERE workspace = :workspace AND {_VISIBLE}
    AND (:purpose IS NULL OR purpose = :purpose)
    AND (:search IS NULL OR instr(lower(filename), lower(:search)) > 0)
    AND (:sample_types IS NULL OR sample_type IN (SELECT value FROM json_each(:sample_types)))
    AND (:sources IS NULL OR source IN (SELECT value FROM json_each(:sources)))
    AND (:mimetypes IS NULL OR mimetype IN (SELECT value FROM json_each(:mimetypes)))
"""  # noqa: S608
_COUNT = f"SELECT count(*) {_MATCHING}"
_PAGE = f"SELECT * {_MATCHING} ORDER BY created_at DESC, seq DESC LIMIT :size OFFSET :skip"
_FIND = f"SELECT * FROM files WHERE id = :id AND workspace = :workspace AND {_VISIBLE}"  # noqa: S608


def insert(db: sqlite3.Connection, workspace: str, file: FileRow) -> None:
    """Add a file."""
    db.execute(
        "INSERT INTO files (id, workspace, filename, purpose, sample_type, source, mimetype, visibility,"
        " created_at, expires_at, num_lines, bytes, signature, content, job) VALUES (:id, :workspace,"
        " :filename, :purpose, :sample_type, :source, :mimetype, :visibility, :created_at, :expires_at,"
        " :num_lines, :bytes, :signature, :content, :job)",
        {**asdict(file), "workspace": workspace},
    )


def foresee_results(db: sqlite3.Connection, workspace: str, job: JobRow) -> None:
    """Write rows for the result files that a job will have, in place of those written before."""
    db.execute("DELETE FROM files WHERE job = ?", (job.id,))
    ends_at, _ = lifecycle.end(job.course)
    for result in results.files(job):
        file = FileRow(
            id=result.id,
            filename=result.filename,
            purpose="batch",
            sample_type=result.sample_type,
            source="mistral",
            mimetype="application/jsonl",
            visibility="workspace",
            created_at=ends_at,
            num_lines=result.num_lines,
            job=job.id,
        )
        insert(db, workspace, file)


def find(db: sqlite3.Connection, workspace: str, file_id: str, now: float) -> FileRow | None:
    """Return a file of this workspace that exists at `now`."""
    row = db.execute(_FIND, {"id": file_id, "workspace": workspace, "now": now}).fetchone()
    return None if row is None else _file(row)


def workspace_of(db: sqlite3.Connection, file_id: str) -> str | None:
    """Return a file's workspace, for a caller without a key."""
    row = db.execute("SELECT workspace FROM files WHERE id = ?", (file_id,)).fetchone()
    return None if row is None else str(row["workspace"])


def page(
    db: sqlite3.Connection, workspace: str, wanted: FileFilter, *, now: float, skip: int, size: int
) -> tuple[list[FileRow], int]:
    """Return one page of the matching files, newest first, and the number of all matches."""
    values = {
        "workspace": workspace,
        "now": now,
        "purpose": wanted.purpose,
        "search": wanted.search,
        "sample_types": _text(wanted.sample_types),
        "sources": _text(wanted.sources),
        "mimetypes": _text(wanted.mimetypes),
        "skip": skip,
        "size": size,
    }
    (total,) = db.execute(_COUNT, values).fetchone()
    return [_file(row) for row in db.execute(_PAGE, values)], total


def delete(db: sqlite3.Connection, file_id: str) -> None:
    """Delete a file."""
    db.execute("DELETE FROM files WHERE id = ?", (file_id,))


def _text(words: list[str] | None) -> str | None:
    return None if words is None else msgspec.json.encode(words).decode()


def _file(row: sqlite3.Row) -> FileRow:
    return FileRow(**{field.name: row[field.name] for field in fields(FileRow)})

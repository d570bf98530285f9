"""The table of jobs: every write and every read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from reconciler.sandbox import lifecycle
from reconciler.sandbox.inputs import InputError
from reconciler.sandbox.lifecycle import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; None means no condition."""

    model: str | None
    agent_id: str | None
    metadata: dict[str, str] | None
    """Pairs that a job's metadata must have."""
    created_after: float | None
    statuses: list[str] | None


COURSE_COLUMNS = ("created_at", "requests", "timeout_hours", "speed", "refused", "stuck", "cancelled_at")
"""The columns that decide a job's status."""

# The SQL is made of constants only: values of a request are always parameters.
_MATCHING = f"""
    FROM jobs WHERE workspace = :workspace
    AND (:model IS NULL OR model = :model)
    AND (:agent_id IS NULL OR agent_id = :agent_id)
    AND (:created_after IS NULL OR created_at > :created_after)
    AND (:metadata IS NULL OR NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM json_each(jobs.metadata) AS held
            WHERE held.key = wanted.key AND held.value = wanted.value)))
    AND (:statuses IS NULL OR job_status(:now, {", ".join(COURSE_COLUMNS)}) IN (SELECT value FROM json_each(:statuses)))
"""  # noqa: S608
_COUNT = f"SELECT count(*) {_MATCHING}"
_OLDEST_FIRST = f"SELECT * {_MATCHING} ORDER BY created_at, seq LIMIT :size OFFSET :skip"
_NEWEST_FIRST = f"SELECT * {_MATCHING} ORDER BY created_at DESC, seq DESC LIMIT :size OFFSET :skip"


def status(now: float, *columns: Any) -> str:  # noqa: ANN401 - values of SQLite
    """Implement the SQL function `job_status`: a list can be filtered by status, which is not stored."""
    return lifecycle.status(Course(**dict(zip(COURSE_COLUMNS, columns, strict=True))), now)


def insert(db: sqlite3.Connection, workspace: str, job: JobRow, contents: Sequence[int]) -> None:
    """Add a job with these contents as its inputs, in this order."""
    course = job.course
    values = {
        "id": job.id,
        "workspace": workspace,
        "endpoint": job.endpoint,
        "model": job.model,
        "agent_id": job.agent_id,
        "metadata": None if job.metadata is None else _text(job.metadata),
        "input_files": _text(job.input_files),
        "errors": _text(job.errors),
        "created_at": course.created_at,
        "requests": course.requests,
        "failing": _text(course.failing),
        "timeout_hours": course.timeout_hours,
        "speed": course.speed,
        "refused": course.refused,
        "stuck": course.stuck,
        "cancelled_at": course.cancelled_at,
    }
    db.execute(
        "INSERT INTO jobs (id, workspace, endpoint, model, agent_id, metadata, input_files, errors, created_at,"
        " requests, failing, timeout_hours, speed, refused, stuck, cancelled_at) VALUES (:id, :workspace,"
        " :endpoint, :model, :agent_id, :metadata, :input_files, :errors, :created_at, :requests, :failing,"
        " :timeout_hours, :speed, :refused, :stuck, :cancelled_at)",
        values,
    )
    db.executemany(
        "INSERT INTO job_inputs (job, position, content) VALUES (?, ?, ?)",
        [(job.id, position, content) for position, content in enumerate(contents)],
    )


def find(db: sqlite3.Connection, workspace: str, job_id: str) -> JobRow | None:
    """Return a job of this workspace."""
    row = db.execute("SELECT * FROM jobs WHERE id = ? AND workspace = ?", (job_id, workspace)).fetchone()
    return None if row is None else _job(row)


def page(
    db: sqlite3.Connection,
    workspace: str,
    wanted: JobFilter,
    *,
    now: float,
    newest_first: bool,
    skip: int,
    size: int,
) -> tuple[list[JobRow], int]:
    """Return one page of the matching jobs, and the number of all matches."""
    values = {
        "workspace": workspace,
        "model": wanted.model,
        "agent_id": wanted.agent_id,
        "metadata": _text(wanted.metadata) if wanted.metadata else None,
        "created_after": wanted.created_after,
        "statuses": None if wanted.statuses is None else _text(wanted.statuses),
        "now": now,
        "skip": skip,
        "size": size,
    }
    (total,) = db.execute(_COUNT, values).fetchone()
    rows = db.execute(_NEWEST_FIRST if newest_first else _OLDEST_FIRST, values)
    return [_job(row) for row in rows], total


def contents(db: sqlite3.Connection, job_id: str) -> list[int]:
    """Return the contents of a job's inputs, in order."""
    rows = db.execute("SELECT content FROM job_inputs WHERE job = ? ORDER BY position", (job_id,))
    return [row["content"] for row in rows]


def cancel(db: sqlite3.Connection, job_id: str, now: float) -> None:
    """Record a cancel."""
    db.execute("UPDATE jobs SET cancelled_at = ? WHERE id = ?", (now, job_id))


def delete(db: sqlite3.Connection, job_id: str) -> None:
    """Delete a job and its result files."""
    db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _job(row: sqlite3.Row) -> JobRow:
    metadata = row["metadata"]
    return JobRow(
        id=row["id"],
        endpoint=row["endpoint"],
        model=row["model"],
        agent_id=row["agent_id"],
        metadata=None if metadata is None else msgspec.json.decode(metadata, type=dict[str, str]),
        input_files=msgspec.json.decode(row["input_files"], type=list[str]),
        errors=msgspec.json.decode(row["errors"], type=list[InputError]),
        course=Course(
            created_at=row["created_at"],
            requests=row["requests"],
            timeout_hours=row["timeout_hours"],
            speed=row["speed"],
            refused=bool(row["refused"]),
            stuck=bool(row["stuck"]),
            failing=msgspec.json.decode(row["failing"], type=list[int]),
            cancelled_at=row["cancelled_at"],
        ),
    )

"""The table of jobs: every write and every read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from reconciler.sandbox import store
from reconciler.sandbox.inputs import InputError
from reconciler.sandbox.lifecycle import Course, Status
from reconciler.sandbox.queries import Page


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


_MATCHING: Final = """
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
_SAVE: Final = """
    INSERT INTO jobs (id, workspace, created_at, model, agent_id, metadata, job)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET metadata = excluded.metadata, job = excluded.job
"""
_decode = msgspec.msgpack.Decoder(JobRow).decode


def save(db: sqlite3.Connection, workspace: str, job: JobRow) -> None:
    """Add a job, or replace the job with this id."""
    metadata = None if job.metadata is None else store.as_json(job.metadata)
    created_at, whole = job.course.created_at, msgspec.msgpack.encode(job)
    db.execute(_SAVE, (job.id, workspace, created_at, job.model, job.agent_id, metadata, whole))


def add_inputs(db: sqlite3.Connection, job_id: str, contents: Sequence[int]) -> None:
    """Record the contents that are a job's inputs, in this order."""
    db.executemany(
        "INSERT INTO job_inputs (job, position, content) VALUES (?, ?, ?)",
        [(job_id, position, content) for position, content in enumerate(contents)],
    )


def find(db: sqlite3.Connection, workspace: str, job_id: str) -> JobRow | None:
    """Return a job of this workspace."""
    row = db.execute("SELECT job FROM jobs WHERE id = ? AND workspace = ?", (job_id, workspace)).fetchone()
    return None if row is None else _decode(row["job"])


def page(
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
    rows, total = store.page(db, _MATCHING, order, values)
    return [_decode(row["job"]) for row in rows], total


def contents(db: sqlite3.Connection, job_id: str) -> list[int]:
    """Return the contents of a job's inputs, in order."""
    rows = db.execute("SELECT content FROM job_inputs WHERE job = ? ORDER BY position", (job_id,))
    return [row["content"] for row in rows]


def delete(db: sqlite3.Connection, job_id: str) -> None:
    """Delete a job and its result files."""
    db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

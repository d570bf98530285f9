"""What the documents about jobs and their work have in common."""

from __future__ import annotations

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in a document about results."""


class WorkFacts(Part, frozen=True, kw_only=True):
    """What the documents about the work of a name have in common."""

    project: str
    name: str
    """The spec's name in the job's tags: the name at the time of the create."""
    work: str
    """The work digest; with `rerun` the run key."""
    rerun: str
    endpoint: str
    model: str | None
    created_at: int
    """Of the job, or of the newest one of several; Unix seconds, the server's clock."""


class JobFacts(WorkFacts, frozen=True, kw_only=True):
    """What the documents about one ended job have in common."""

    job_id: str
    attempt: int
    status: str
    """The API's own status."""
    started_at: int | None
    """Unix seconds, the server's clock; so is the one below."""
    completed_at: int | None

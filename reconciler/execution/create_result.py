"""What one create can result in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.model import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreated:
    """The job exists."""

    job: Job
    op: str
    recovered: bool = False
    """True if the response was lost and the job was found by its op."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsAltered:
    """The job exists, and the API has altered the tags that mark it as ours."""

    job: Job
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCreated:
    """The create was tried, and certainly made no job: the API refused it or was not reached."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The create was not sent, and the ledger has no outcome of it."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """A job may have been created, or may still be."""

    error: ReconcilerError
    at: float
    """Unix seconds: when the response was lost."""
    until: float
    """Unix seconds: a run after this time can determine the outcome."""


CreateResult: TypeAlias = JobCreated | TagsAltered | NotCreated | NotSent | OutcomeUnknown

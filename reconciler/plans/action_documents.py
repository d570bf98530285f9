"""The actions of a plan as documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from reconciler.planning.actions import Change
from reconciler.plans.cost_document import CostDoc
from reconciler.plans.settings_document import SettingsDoc


class PlanPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything in a plan's document."""


class UploadDoc(PlanPart, frozen=True, kw_only=True):
    """A local file that a create uploads."""

    path: str
    sha256: str
    bytes: int


class JobDoc(PlanPart, frozen=True, kw_only=True):
    """A job as it was when the plan was made."""

    id: str
    status: str
    total_requests: int = 0
    completed_requests: int = 0
    failed_requests: int = 0
    created_at: int = 0
    cost: CostDoc | None = None
    """The most that it can cost, if its create reserved that; of a job that is cancelled."""


class CreateDoc(PlanPart, frozen=True, kw_only=True, tag_field="action", tag="create"):
    """Create a job. Valid while no job has this run key."""

    reason: str
    precondition: str = ""
    """The condition for applying it, in words; `apply` checks for itself."""
    work: str
    rerun: str = ""
    attempt: int = 1
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    settings: SettingsDoc
    requests: int | None = None
    """How many requests the job is asked; None if an input is an uploaded file."""
    of: int | None = None
    """How many requests the whole work has, if the job is asked only a part of them."""
    reused: int = 0
    """How many of them are answered by earlier jobs."""
    waiting: int = 0
    """How many requests wait for their outcome: those of the canary, or the first of several parts."""
    retried: Mapping[str, int] = {}
    """How many of `requests` have failed before, by kind."""
    at_most: bool = False
    """True if `requests` is a bound, because results were not read."""
    cost: CostDoc | None = None
    """What it may cost; null in a plan of an earlier version."""
    uploads: tuple[UploadDoc, ...] = ()
    changes: tuple[Change, ...] = ()
    rests_on_ledger: str = ""
    """What only the ledger says, if the create rests on it: `apply` needs an agreed plan for it."""

    @property
    def in_all(self) -> int | None:
        """The most requests that may follow: with those that wait."""
        return None if self.requests is None else self.requests + self.waiting

    @property
    def answered_by(self) -> str:
        """The model, or the agent."""
        return self.model or f"agent {self.agent_id}"


class CancelDoc(PlanPart, frozen=True, kw_only=True, tag_field="action", tag="cancel"):
    """Cancel a job. Valid while it is queued or running."""

    reason: str
    precondition: str = ""
    """The condition for applying it, in words; `apply` checks for itself."""
    job: JobDoc
    """The job before the cancel."""
    lost: int = 0
    """The most of its answers that nothing uses afterwards."""
    cancel_before_create: bool = False
    """True if the workspace has no room for both jobs: the replacement is created once this one has stopped."""


class KeepDoc(PlanPart, frozen=True, kw_only=True, tag_field="action", tag="keep"):
    """Change nothing."""

    reason: str
    job: JobDoc | None = None
    detail: str = ""
    attention: bool = False


class HoldDoc(PlanPart, frozen=True, kw_only=True, tag_field="action", tag="hold"):
    """Wait, although work is wanted."""

    reason: str
    job: JobDoc | None = None
    detail: str = ""
    hint: str = ""
    attention: bool = False
    until: float | None = None
    changes: tuple[Change, ...] = ()


ActionDoc: TypeAlias = CreateDoc | CancelDoc | KeepDoc | HoldDoc

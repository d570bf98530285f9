"""The four actions of a plan, a reason for each, and the plan itself.

An action is a frozen value with exactly what `execution` needs. What will *not* be done (Keep, Hold) is in the plan as
well. `execution` depends on the class of an action, never on its reason: reasons are for readers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias, TypeVar

from msgspec import Struct

from reconciler.model import Job, JobSpec, OwnedJob
from reconciler.planning.standing import Standing


class Reason(StrEnum):
    """Why something is decided. `REASONS` explains each."""

    NEW = "new"
    CHANGED = "changed"
    RERUN = "rerun"
    RETRY = "retry"
    RESTORED = "restored"
    REMOVED = "removed"
    SUPERSEDED = "superseded"
    SUSPENDED = "suspended"
    DUPLICATE = "duplicate"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    ADOPTED = "adopted"
    NOT_ADOPTED = "not_adopted"
    RENAMED = "renamed"
    RECORD_GONE = "record_gone"
    UNREADABLE = "unreadable"
    NEWER_TOOL = "newer_tool"
    UNKNOWN_STATUS = "unknown_status"
    OTHER_HISTORY = "other_history"
    CHECKOUT_BEHIND = "checkout_behind"
    KEPT = "kept"
    WAITING = "waiting"
    UNSETTLED = "unsettled"
    STOPPING = "stopping"
    CANCELLED = "cancelled"
    PARTIAL = "partial"
    FAILED = "failed"
    QUOTA = "quota"


REASONS: dict[Reason, str] = {
    Reason.NEW: "declared, and never submitted before",
    Reason.CHANGED: "the work differs from the last job of this name: inputs, model or endpoint",
    Reason.RERUN: "`rerun` changed: the same work is submitted again",
    Reason.RETRY: "the last attempt failed with a status that `retry.on` lists, and attempts are left",
    Reason.RESTORED: "this tool cancelled it, and it is declared again",
    Reason.REMOVED: "no longer declared",
    Reason.SUPERSEDED: "the spec now declares other work",
    Reason.SUSPENDED: "the spec says `suspend: true`",
    Reason.DUPLICATE: "two jobs do the same work; the older one, or the one that succeeded, stays",
    Reason.RUNNING: "it is queued or running",
    Reason.SUCCEEDED: "it has succeeded",
    Reason.ADOPTED: "it has no tags, and the spec's `adopt` says that it does or did this work",
    Reason.NOT_ADOPTED: "the job that `adopt` names does not exist, belongs to another project, or did other work",
    Reason.RENAMED: "another spec now declares the same work, so the job belongs to that spec",
    Reason.RECORD_GONE: "the ledger has a job that no longer exists in this workspace",
    Reason.UNREADABLE: "the tags of a job of this name cannot be read",
    Reason.NEWER_TOOL: "a newer version of this tool wrote a job of this name",
    Reason.UNKNOWN_STATUS: "the API reports a status that this version does not know",
    Reason.OTHER_HISTORY: "the job was created from a commit that this checkout does not contain",
    Reason.CHECKOUT_BEHIND: "the last job of this name was created from a commit that contains this checkout",
    Reason.KEPT: "no longer declared, and `on_remove: keep` lets it continue",
    Reason.WAITING: "a running job of this name has to end first",
    Reason.UNSETTLED: "a create of this work was sent, and its outcome is not known yet",
    Reason.STOPPING: "it is being cancelled",
    Reason.CANCELLED: "cancelled by hand, or by a run whose record is missing",
    Reason.PARTIAL: "it ended early with some answers, which a retry would submit and pay for again",
    Reason.FAILED: "it failed, and no attempt is left",
    Reason.QUOTA: "too many requests are pending: the workspace, or this project's share of it, has no room",
}
"""The explanation of each reason. `docs/planner.md` lists them."""


class Change(Struct, frozen=True):
    """One field of the work that differs from the job before."""

    field: str
    before: str
    after: str


class Create(Struct, frozen=True, kw_only=True):
    """Create a job for the work of `spec`."""

    spec: JobSpec
    attempt: int
    reason: Reason
    changes: tuple[Change, ...] = ()


class Cancel(Struct, frozen=True, kw_only=True):
    """Cancel a job of ours that is queued or running."""

    owned: OwnedJob
    reason: Reason
    duplicate_of: Job | None = None
    """The job of the same work that stays, if this one is its duplicate: then the cancel loses nothing."""
    cancel_before_create: bool = False
    """True if the workspace has no room for both jobs: the replacement is created once this one has stopped."""


class Keep(Struct, frozen=True, kw_only=True):
    """Change nothing: the work was submitted."""

    job: Job | None
    """None if the API no longer has it."""
    reason: Reason
    detail: str = ""
    attention: bool = False
    """True if a person should look."""


class Hold(Struct, frozen=True, kw_only=True):
    """Wait, although work is wanted, until the workspace, the ledger or the spec changes."""

    job: Job | None = None
    """The job that is in the way, if there is one."""
    reason: Reason
    detail: str = ""
    hint: str = ""
    """What a person can do about it."""
    attention: bool = False
    until: float | None = None
    """Unix seconds after which the decision changes, if that is known."""


Action: TypeAlias = Create | Cancel | Keep | Hold

_A = TypeVar("_A", bound=Action)


class Decision(Struct, frozen=True, kw_only=True):
    """All actions for one name."""

    name: str
    spec: JobSpec | None
    """None if the name is not declared."""
    standing: Standing
    actions: tuple[Action, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: type[_A]) -> tuple[_A, ...]:
        """Return the actions of one class, in order."""
        return tuple([action for action in self.actions if isinstance(action, kind)])

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return bool(self.of(Create) or self.of(Cancel))

    @property
    def attention(self) -> bool:
        """Whether a person should look."""
        return any(it.attention for it in self.actions if isinstance(it, Keep | Hold))


class Plan(Struct, frozen=True, kw_only=True):
    """Every decision, sorted by name."""

    decisions: tuple[Decision, ...]
    not_considered: int = 0
    """Jobs of ours that the selection leaves out."""

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return bool(self.of(Create) or self.of(Cancel))

    @property
    def attention(self) -> bool:
        """Whether a person should look at something."""
        return any(decision.attention for decision in self.decisions)

    def of(self, kind: type[_A]) -> tuple[_A, ...]:
        """Return the actions of one class over all names, in order."""
        return tuple([it for decision in self.decisions for it in decision.actions if isinstance(it, kind)])

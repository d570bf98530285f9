"""What can be decided: four actions, a reason for each, and the plan that holds them.

An action is a frozen value with exactly what doing it needs; what will *not* be done (Keep, Hold) is in the plan as
well. Doing looks at the class of an action, never at its reason: reasons are for readers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias, TypeVar

from msgspec import Struct

from reconciler.model import Job, JobSpec, Ours
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
    Reason.NEW: "declared, and never bought before",
    Reason.CHANGED: "the work differs from what was bought under this name: inputs, model or endpoint",
    Reason.RERUN: "the same work is asked for once more by another `rerun`",
    Reason.RETRY: "the last attempt failed in a way that `retry.on` lists, and attempts are left",
    Reason.RESTORED: "this tool had cancelled it, and it is declared again",
    Reason.REMOVED: "no longer declared",
    Reason.SUPERSEDED: "the spec now declares other work",
    Reason.SUSPENDED: "the spec says `suspend: true`",
    Reason.DUPLICATE: "the same work is bought twice; the older job, or the one that succeeded, stays",
    Reason.RUNNING: "it is queued or running",
    Reason.SUCCEEDED: "it has succeeded; its answers are paid for",
    Reason.ADOPTED: "it carries no tags, and the spec's `adopt` says that it did this work, or does it",
    Reason.NOT_ADOPTED: "the job that `adopt` names is not there, is another's, or did other work",
    Reason.RENAMED: "another spec declares the same work now: the job is that spec's",
    Reason.RECORD_GONE: "the API no longer knows the job that the ledger remembers",
    Reason.UNREADABLE: "our tags on a job of this name cannot be read",
    Reason.NEWER_TOOL: "a newer version of this tool wrote a job of this name",
    Reason.UNKNOWN_STATUS: "the API reports a status that this version does not know",
    Reason.OTHER_HISTORY: "the job was bought from a commit that this checkout does not contain",
    Reason.CHECKOUT_BEHIND: "the last job of this name was created from a commit that contains this checkout",
    Reason.KEPT: "no longer declared, and `on_remove: keep` lets it run on",
    Reason.WAITING: "a running job of this name has to end first",
    Reason.UNSETTLED: "a create of this work was sent and its outcome is not known yet",
    Reason.STOPPING: "its cancellation is under way",
    Reason.CANCELLED: "cancelled outside this tool's records, for example in the console",
    Reason.PARTIAL: "it ended early with answers inside, which a retry would buy again",
    Reason.FAILED: "it failed, and no attempt is left",
    Reason.QUOTA: "so many requests are pending that the workspace, or this project's share, has no room for it",
}
"""What each reason says. `docs/planner.md` lists them."""


class Change(Struct, frozen=True):
    """One field of the work that differs from what was bought before."""

    field: str
    before: str
    after: str


class Create(Struct, frozen=True, kw_only=True):
    """Buy the work of `spec`."""

    spec: JobSpec
    attempt: int
    reason: Reason
    changes: tuple[Change, ...] = ()


class Cancel(Struct, frozen=True, kw_only=True):
    """Stop a job of ours that is queued or running."""

    ours: Ours
    reason: Reason
    twin: Job | None = None
    """The job of the same work that stays, where this one is its duplicate: cancelling it loses nothing."""
    first: bool = False
    """True where the workspace has no room for it beside what replaces it: that is created once this has stopped."""


class Keep(Struct, frozen=True, kw_only=True):
    """Leave things as they are: the work is bought."""

    job: Job | None
    """None where the API has forgotten it."""
    reason: Reason
    detail: str = ""
    attention: bool = False
    """True where a person should look."""


class Hold(Struct, frozen=True, kw_only=True):
    """Do nothing although something is wanted, until the world or the spec changes."""

    job: Job | None = None
    """The job that stands in the way, where there is one."""
    reason: Reason
    detail: str = ""
    hint: str = ""
    """What a person can do about it."""
    attention: bool = False
    until: float | None = None
    """Unix seconds after which the same question is decided otherwise, where that is known."""


Action: TypeAlias = Create | Cancel | Keep | Hold

_A = TypeVar("_A", bound=Action)


class Decision(Struct, frozen=True, kw_only=True):
    """All that is to be done about one name."""

    name: str
    spec: JobSpec | None
    """None where the name is not declared."""
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
    """Jobs of ours that a selection left out."""

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

"""The four actions of a plan, a reason for each, and the plan itself.

An action is a frozen value with exactly what `execution` needs. What will *not* be done (Keep, Hold) is in the plan as
well. `execution` depends on the class of an action, never on its reason. Reasons are for readers, except those of
cancels: the ledger keeps them, and a later plan decides by them (`OUR_CANCELS` and DUPLICATE in `case`), so they must
not be renamed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model import Example, Job, JobSpec, OwnedJob, RequestChange, SubmittedPart
from reconciler.model.money import Estimate
from reconciler.planning.next_part import NextPart
from reconciler.planning.standing import Standing
from reconciler.planning.tally import Tally


class Reason(StrEnum):
    """Why something is decided, with its explanation. `docs/planner.md` lists them."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Return a reason with its explanation."""
        reason = str.__new__(cls, value)
        reason._value_, reason.explanation = value, explanation
        return reason

    NEW = "new", "declared, and never submitted before"
    CHANGED = "changed", "the work differs from the last job of this name: inputs, model or endpoint"
    RERUN = "rerun", "`rerun` changed: the same work is submitted again"
    RETRY = "retry", "the last attempt failed with a status that `retry.on` lists, and attempts are left"
    PART = "part", "some requests of the work were not submitted yet"
    RESTORED = "restored", "this tool cancelled it, and it is declared again"
    REMOVED = "removed", "no longer declared"
    SUPERSEDED = "superseded", "the spec now declares other work"
    SUSPENDED = "suspended", "the spec says `suspend: true`"
    DUPLICATE = "duplicate", "two jobs do the same work; the older one, or the one that succeeded, stays"
    RUNNING = "running", "it is queued or running"
    SUCCEEDED = "succeeded", "it has succeeded"
    ADOPTED = "adopted", "it has no tags, and the spec's `adopt` says that it does or did this work"
    NOT_ADOPTED = (
        "not_adopted",
        "the job of `adopt` does not exist, belongs to another project, or did other work",
    )
    SAME_WORK = "same_work", "another spec declares the same work, and its job counts for both"
    RENAMED = "renamed", "another spec now declares the same work, so the job belongs to that spec"
    RECORD_GONE = "record_gone", "the ledger has a job that this workspace does not have"
    UNREADABLE = "unreadable", "the tags of a job of this name cannot be read"
    NEWER_TOOL = "newer_tool", "a newer version of this tool wrote a job of this name"
    UNKNOWN_STATUS = "unknown_status", "the API reports a status that this version does not know"
    OTHER_ROOT = "other_root", "this project submitted the job from another folder of the repository"
    OTHER_HISTORY = "other_history", "the job was created from a commit that this checkout does not contain"
    CHECKOUT_BEHIND = (
        "checkout_behind",
        "the last job of this name comes from a commit that contains this checkout",
    )
    KEPT = "kept", "no longer declared, and `on_remove: keep` lets it continue"
    WAITING = "waiting", "a running job of this name has to end first"
    UNSETTLED = "unsettled", "a create under this name may have been sent, and its outcome is not known yet"
    STOPPING = "stopping", "it is being cancelled"
    CANCELLED = "cancelled", "cancelled by hand, or by a run whose record is missing"
    PARTIAL = "partial", "it ended early with some answers, which a retry would submit and pay for again"
    INCOMPLETE = "incomplete", "some requests have no answer, and none of them may be submitted again"
    CANARY_FAILED = "canary_failed", "the outcomes of the canary do not pass the checks of the spec"
    ANSWERS_LATE = "answers_late", "a job has just ended, and its results may not be complete yet"
    ANSWERS_GONE = "answers_gone", "a job answered requests that are wanted, and its results are lost"
    RESULTS_NEEDED = "results_needed", "only the results of earlier jobs show which requests are answered"
    INPUT_NEEDED = (
        "input_needed",
        "the content of an input could not be fetched, or is not the one that is declared",
    )
    FAILED = "failed", "it failed, and no attempt is left"
    NOT_AGREED = "not_agreed", "no agreed plan contains it, or only the ledger says that it can be submitted"
    QUOTA = (
        "quota",
        "too many requests are pending: the workspace, or this project's share of it, has no room",
    )

    HELD_BACK = "held_back", "a guard holds it back, so that a person can look first"


class Change(Struct, frozen=True, omit_defaults=True):
    """One field of the work that differs from the job before."""

    field: str
    before: str
    after: str
    requests: RequestChange | None = None
    """Of `inputs`: how the requests differ, if that is known."""
    examples: tuple[Example, ...] = ()
    """Of `inputs` that a template makes: some requests before and now."""


class Create(Struct, frozen=True, kw_only=True):
    """Create a job for the work of `spec`."""

    spec: JobSpec
    attempt: int
    reason: Reason
    changes: tuple[Change, ...] = ()
    rests_on_ledger: str = ""
    """What only the ledger says, if the create rests on it: it needs an agreed plan."""
    part: NextPart | None = None
    """What it submits, if that is only a part of the work."""
    submitted: SubmittedPart | None = None
    """The inputs of that part, once they are cut."""
    estimate: Estimate | None = None
    """What it may cost; None until it is worked out."""

    @property
    def sent(self) -> JobSpec:
        """The spec with the inputs that are sent. Its identity is not that of the work."""
        return self.spec if self.submitted is None else replace(self.spec, inputs=self.submitted.inputs)

    @property
    def requests(self) -> int | None:
        """How many requests it submits; None if an input is an uploaded file."""
        return self.spec.requests if self.part is None else len(self.part.places)

    @property
    def in_all(self) -> int | None:
        """The most requests that may follow, each counted once: with those that wait for a later part."""
        return self.spec.requests if self.part is None else len(self.part.places) + self.part.held

    @property
    def never_asked(self) -> int | None:
        """How many of `in_all` no job that counts was asked before; None if that is not known."""
        if self.part is not None:
            return self.part.fresh
        return 0 if self.reason is Reason.RETRY else self.spec.requests


class Cancel(Struct, frozen=True, kw_only=True):
    """Cancel a job of ours that is queued or running."""

    owned: OwnedJob
    reason: Reason
    duplicate_of: Job | None = None
    """The job of the same work that stays, if this one is its duplicate: then the cancel loses nothing."""
    cancel_before_create: bool = False
    """True if the workspace has no room for both jobs: the replacement is created once this one has stopped."""
    unwanted: int | None = None
    """How many of the requests it was asked the spec no longer declares, if answers to the others are reused."""

    @property
    def lost(self) -> int:
        """The most answers that nothing uses afterwards."""
        answers = self.owned.job.answers
        return 0 if self.duplicate_of else answers if self.unwanted is None else min(answers, self.unwanted)


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
    changes: tuple[Change, ...] = ()
    """Of a create that is held: how its work differs from the job before."""
    requests: int | None = None
    """How many requests may follow once there is room, or a job has stopped, in all; None if that is not known."""


Action: TypeAlias = Create | Cancel | Keep | Hold

_A = TypeVar("_A", bound=Action)


class Decision(Struct, frozen=True, kw_only=True):
    """All actions for one name."""

    name: str
    spec: JobSpec | None
    """None if the name is not declared."""
    standing: Standing
    actions: tuple[Action, ...]
    widened: bool = False
    """Whether the spec lets the work go on further than its last job says."""
    notes: tuple[str, ...] = ()
    states: Tally | None = None
    """How many requests of the wanted work are in each state; None if that is not known."""

    def of(self, kind: type[_A]) -> tuple[_A, ...]:
        """Return the actions of one class, in order."""
        return tuple([action for action in self.actions if isinstance(action, kind)])

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return bool([it for it in self.actions if isinstance(it, Create | Cancel)])

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

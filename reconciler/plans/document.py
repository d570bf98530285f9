"""The shape of a plan as a document: what every renderer shows and what a plan file holds.

`schemas/plan.schema.json` is generated from these types. `plan_file` makes documents of plans, writes and reads them.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from reconciler.model import Target

FORMAT_VERSION: Final = "1.0"
"""Readers ignore fields they do not know within a major version, and refuse another major version."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything in a document."""


class ChangeDoc(_Part, frozen=True, kw_only=True):
    """One field of the work that differs from what was bought before."""

    field: str
    before: str
    after: str


class UploadDoc(_Part, frozen=True, kw_only=True):
    """A local file that a create sends."""

    path: str
    sha256: str
    bytes: int


class JobDoc(_Part, frozen=True, kw_only=True):
    """A job as it was when the plan was made."""

    id: str
    status: str
    total_requests: int = 0
    completed_requests: int = 0
    failed_requests: int = 0
    created_at: int = 0


class CreateDoc(_Part, frozen=True, kw_only=True, tag_field="action", tag="create"):
    """Buy work. Holds as long as nobody has bought this run key."""

    reason: str
    precondition: str = ""
    """What must hold when it is applied, in words; apply looks for itself."""
    work: str
    rerun: str = ""
    attempt: int = 1
    requests: int | None = None
    """None where an uploaded file hides it."""
    uploads: tuple[UploadDoc, ...] = ()
    changes: tuple[ChangeDoc, ...] = ()


class CancelDoc(_Part, frozen=True, kw_only=True, tag_field="action", tag="cancel"):
    """Stop a job. Holds as long as it is queued or running."""

    reason: str
    precondition: str = ""
    """What must hold when it is applied, in words; apply looks for itself."""
    job: JobDoc
    """As it was before; afterwards it is cancelled."""
    first: bool = False
    """True where there is no room for it beside what replaces it: that is created once this has stopped."""


class KeepDoc(_Part, frozen=True, kw_only=True, tag_field="action", tag="keep"):
    """Leave things as they are."""

    reason: str
    job: JobDoc | None = None
    detail: str = ""
    attention: bool = False


class HoldDoc(_Part, frozen=True, kw_only=True, tag_field="action", tag="hold"):
    """Do nothing although something is wanted."""

    reason: str
    job: JobDoc | None = None
    detail: str = ""
    hint: str = ""
    attention: bool = False
    until: float | None = None


ActionDoc: TypeAlias = CreateDoc | CancelDoc | KeepDoc | HoldDoc
_A = TypeVar("_A", bound=ActionDoc)


class DecisionDoc(_Part, frozen=True, kw_only=True):
    """All that is to be done about one name."""

    name: str
    declared_at: str = ""
    """`file:line` of the spec; "" where the name is not declared."""
    family: str = ""
    """What the jobs of this spec are called together (`backfill-*`); "" for a spec of one job."""
    standing: str
    """What the name stands at: `docs/planner.md` lists the cases."""
    actions: tuple[ActionDoc, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: type[_A]) -> tuple[_A, ...]:
        """Return the actions of one class, in order."""
        return tuple(action for action in self.actions if isinstance(action, kind))

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return any(isinstance(action, CreateDoc | CancelDoc) for action in self.actions)

    @property
    def attention(self) -> bool:
        """Whether a person should look."""
        return any(isinstance(action, KeepDoc | HoldDoc) and action.attention for action in self.actions)


class TargetDoc(_Part, frozen=True, kw_only=True):
    """Which workspace of which API."""

    base_url: str
    project: str
    sandbox: bool = False

    @classmethod
    def of(cls, target: Target) -> TargetDoc:
        """Write a target down."""
        return cls(base_url=target.base_url, project=target.project, sandbox=target.sandbox)

    @property
    def value(self) -> Target:
        """The target that was written down."""
        return Target(base_url=self.base_url, project=self.project, sandbox=self.sandbox)


class GuardDoc(_Part, frozen=True, kw_only=True):
    """A guard that refuses the plan."""

    guard: str
    message: str
    hint: str


class MeasureDoc(_Part, frozen=True, kw_only=True):
    """What a guard counts in the plan, beside the most that it lets pass."""

    guard: str
    value: float
    limit: float


class SummaryDoc(_Part, frozen=True, kw_only=True, omit_defaults=False):
    """The plan in numbers. A replacement is a create and a cancel under one name, counted once."""

    create: int
    replace: int
    cancel: int
    hold: int
    unchanged: int
    attention: int
    requests: int
    """Requests that the plan buys, as far as they are known."""
    requests_unknown: int
    """Creates whose number of requests is not known."""
    lost_answers: int
    """Requests that the cancelled jobs have already answered."""
    upload_bytes: int = 0
    """Bytes of the input files of what is bought, each content once. What the workspace holds already is not sent."""


class PlanDoc(_Part, frozen=True, kw_only=True):
    """A plan with all that its reader needs."""

    format_version: str
    tool_version: str
    created_at: str
    """RFC 3339, UTC."""
    target: TargetDoc
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    observed_at: str | None = None
    """RFC 3339: when the jobs were read, where that was not when the plan was made."""
    jobs_read: int = 0
    jobs_ours: int = 0
    selected: int | None = None
    """How many specs a selection holds; None where all are considered."""
    not_considered: int = 0
    summary: SummaryDoc
    guards: tuple[GuardDoc, ...] = ()
    """Those that refuse."""
    measures: tuple[MeasureDoc, ...] = ()
    decisions: tuple[DecisionDoc, ...]

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return any(decision.pending for decision in self.decisions)

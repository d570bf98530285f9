"""A plan as a document: what every renderer shows and what a plan file contains.

`schemas/plan.schema.json` is generated from these types. `plan_file` turns plans into documents, writes and reads them.
"""

from __future__ import annotations

from typing import Final, TypeVar

from reconciler.model import RunKey, Target
from reconciler.planning.guard_input import Approved, Refusal
from reconciler.planning.tally import Tally
from reconciler.plans.action_documents import ActionDoc, CancelDoc, CreateDoc, HoldDoc, KeepDoc, PlanPart
from reconciler.plans.cost_document import CostDoc
from reconciler.plans.settings_document import SettingsDoc

FORMAT_VERSION: Final = "1.0"
"""Readers ignore unknown fields within a major version, and refuse another major version."""


_A = TypeVar("_A", bound=ActionDoc)


class DecisionDoc(PlanPart, frozen=True, kw_only=True):
    """All actions for one name."""

    name: str
    declared_at: str = ""
    """`file:line` of the spec; "" if the name is not declared."""
    family: str = ""
    """The name of all jobs of this spec together (`backfill-*`); "" for a spec of one job."""
    standing: str
    """The standing of the name: `docs/planner.md` lists them."""
    actions: tuple[ActionDoc, ...]
    work: str = ""
    """The work that waits for something, or that goes on further than its last job says; "" if there is none."""
    rerun: str = ""
    settings: SettingsDoc | None = None
    """The settings of that work, if it waits for something that passes, or goes on further."""
    requests: int | None = None
    """How many requests of the work wait for room, or until a job has stopped, in all; None if that is not known."""
    notes: tuple[str, ...] = ()
    states: Tally | None = None
    """How many requests of the wanted work are in each state, over all of its jobs; null if that is not known."""
    again: str = ""
    """When another apply continues the work: `when 8c9768d1 has ended`; "" if none is needed for that."""

    @property
    def run_key(self) -> RunKey:
        """The work that `work` and `rerun` name."""
        return RunKey(self.work, self.rerun)

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


class PolicyDoc(PlanPart, frozen=True, kw_only=True):
    """The policy that specs and settings were checked against."""

    file: str
    """Its name."""
    sha256: str


class ModelDoc(PlanPart, frozen=True, kw_only=True):
    """What a reader should know about a model that a create or an earlier job names."""

    kind: str
    """`unknown`, `retired`, `unfit` or `too_long`: a warning. `retires`, `alias` or `moved`: a note."""
    model: str
    """As the spec names it."""
    message: str
    hint: str = ""
    """What to do."""
    names: tuple[str, ...]
    """The jobs that it concerns."""

    @property
    def warning(self) -> bool:
        """Whether the API will probably not run the jobs."""
        return self.kind not in ("retires", "alias", "moved")


class SummaryDoc(PlanPart, frozen=True, kw_only=True, omit_defaults=False):
    """The plan in numbers. A replacement is a create and a cancel under one name, counted once."""

    create: int
    replace: int
    cancel: int
    hold: int
    unchanged: int
    """Declared names that need no action."""
    attention: int
    again: int
    """Names whose work goes on only with another, later apply."""
    requests: int
    """Requests that the plan submits, as far as they are known."""
    requests_unknown: int
    """Creates whose number of requests is not known."""
    requests_in_all: int
    """The most requests that may follow without another plan: with those that wait for the canary or a later part."""
    cost: CostDoc | None = None
    """What the creates with an upper bound may cost together; null if there are none."""
    cost_unknown: int = 0
    """Creates without an upper bound of their cost."""
    lost_answers: int
    """The most answers of the cancelled jobs that nothing uses afterwards."""
    upload_bytes: int = 0
    """Bytes of the input files of all creates, each content once. Files that the workspace already has are not sent."""


class PlanDoc(PlanPart, frozen=True, kw_only=True):
    """A plan with everything that its reader needs."""

    format_version: str
    tool_version: str
    created_at: str
    """RFC 3339, UTC."""
    target: Target
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    observed_at: str | None = None
    """RFC 3339: when the jobs were read, if the plan was made from a snapshot."""
    jobs_read: int = 0
    jobs_owned: int = 0
    jobs_active: int = 0
    """Live jobs of the project that the guards count."""
    selected: int | None = None
    """How many specs are selected; None if all are."""
    not_considered: int = 0
    summary: SummaryDoc
    policy: PolicyDoc | None = None
    """None without one. `apply` checks against its own policy again."""
    guards: tuple[Refusal, ...] = ()
    """The guards that hold something back."""
    models: tuple[ModelDoc, ...] = ()
    """Warnings and notes about models. They decide nothing."""
    decisions: tuple[DecisionDoc, ...]

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return any(decision.pending for decision in self.decisions)

    @property
    def approved(self) -> Approved:
        """The numbers that guards count with once this plan is approved."""
        cancels = (cancel for decision in self.decisions for cancel in decision.of(CancelDoc))
        return Approved(answers={it.job.id: it.lost for it in cancels}, active=self.jobs_active)

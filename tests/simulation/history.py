"""The events of a schedule, as far as the invariants need them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from reconciler.ledger.lines import CancelIntended, Line
from reconciler.model import Declared, RunKey
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.sandbox.lifecycle import Status

if TYPE_CHECKING:
    from tests.simulation.setups import Setup

T = TypeVar("T")


@dataclass(frozen=True)
class Said:
    """What one round of a run said it had done."""

    outcomes: tuple[Outcome, ...]
    wrote: tuple[Line, ...]
    """The lines that were recorded since the round before."""


@dataclass(eq=False)
class RunRecord:
    """One run of the tool: what it knew, which command it ran, what it did."""

    name: str
    runner: int
    declared: Declared
    commit: int
    """The index of its checkout in the history of commits; -1 outside of git."""
    ledger: Callable[[], list[str]]
    """The rows that are durable for it, now."""
    shared: Callable[[], list[str]] | None = None
    """The rows that other runners see, if they share a ledger by claims."""
    agreed: PlanDoc | None = None
    """The first plan that was agreed to, or the saved one."""
    saved: bool = False
    """Whether that is a saved one."""
    asks: bool = False
    """Whether a person read the plan at the prompt."""
    round: int = 0
    """How many full looks `--wait` has taken after the first apply."""
    looked: float = 0.0
    """When the last whole list began to be read."""
    planned_on: float = 0.0
    """When it began to read the list from which it made its last plan."""
    read: tuple[Line, ...] = ()
    """What its ledger said last."""
    knew: frozenset[str] = frozenset()
    """The jobs that its ledger had seen made or ended when it last planned, by lines that a run wrote."""
    named: frozenset[str] = frozenset()
    """The ids and ops of which its ledger held a create or a cancel when it last planned."""
    saw_end: frozenset[str] = frozenset()
    """The jobs whose end its ledger held when it last planned."""
    disturbed: bool = False
    """Whether anything went wrong for it: a request, its ledger, or a wish that it stop."""
    wrote: list[Line] = field(default_factory=list)
    """The lines that it recorded."""
    ops: set[str] = field(default_factory=set)
    """The ops of the creates it sent."""
    tried: set[str] = field(default_factory=set)
    """The jobs that it sent a cancel of since it last asked how they stand."""
    misled: set[str] = field(default_factory=set)
    """Jobs whose tags were damaged in an answer that it was given."""
    nameless: set[str] = field(default_factory=set)
    """Jobs whose ids could not be read in an answer that it was given."""
    reports: list[Said] = field(default_factory=list)
    """What it said it had done, round by round."""
    over: float = 0.0
    """When it ended."""
    ended: str = ""
    """How it ended, for the trace."""
    broken: str = ""
    """The traceback of an error that is none of the tool's own."""

    def say(self, outcomes: tuple[Outcome, ...]) -> None:
        """Note what a round says it has done, with the lines that came with it."""
        before = sum(len(said.wrote) for said in self.reports)
        self.reports.append(Said(outcomes, tuple(self.wrote[before:])))

    def reasons(self) -> dict[str, str]:
        """Return why it cancels what it cancels."""
        return {line.job_id: line.reason for line in self.wrote if isinstance(line, CancelIntended)}


@dataclass(eq=False)
class CreatedJob:
    """A job that the API accepted, from this tool or another client."""

    id: str
    key: RunKey | None
    """None if the job is not of this tool."""
    name: str
    project: str
    attempt: int
    op: str
    at: float
    by: RunRecord | None
    """None for a person's or a stranger's."""
    shows_at: float
    """From this moment on every list shows it."""
    hidden_reads: int = 0
    """So many lists more may lack it before that."""
    flaps: bool = False
    """Until then, any list may lack it."""
    shown: bool = False
    """Whether the last list of those that may lack it showed it."""
    root: str = ""
    """The folder of the repository that its tags name; "" for that of every run."""
    replaces: frozenset[str] = frozenset()
    """The jobs that its tags say it replaces."""
    cap: int = 1
    """How often its work might fail when it was created."""
    most: int | None = None
    """The most that it can cost, in micros, as its tags say."""
    altered: bool = False
    """The API keeps other tags than were sent."""
    cancels: list[tuple[float, RunRecord, str]] = field(default_factory=list)
    """Cancels by the tool that were accepted: time, run and reason."""
    person_at: float | None = None
    """When another client cancelled it. Either that or a cancel of the tool took effect, never both."""
    looks_ours: bool = False
    """Whether another client stopped the job between the tool's look at it and its one cancel, which was accepted."""
    accepted: set[str] = field(default_factory=set)
    """The runs whose cancel was answered as if it had stopped the job."""
    work: str = ""
    """The digest of its work, if a person made it by hand: then it carries no tags."""
    deleted_at: float | None = None
    ended_as: Status | None = None
    """How it stood when its record was deleted."""
    answers: int = 0
    """How many answers it had given when its record was deleted."""


@dataclass(frozen=True)
class Violation:
    """A promise that was broken."""

    invariant: str
    what: str


@dataclass
class History:
    """Everything that happened in one schedule."""

    setup: Setup
    bounds: bool
    """Whether the times that the promise rests on are kept."""
    jobs: dict[str, CreatedJob] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    reported: set[str] = field(default_factory=set)
    """The jobs whose end a hook has received."""
    reporting: dict[str, str] = field(default_factory=dict)
    """The jobs whose end a hook is receiving now, each with the run that called the hook."""
    forged: set[str] = field(default_factory=set)
    """The jobs about which the ledger has lines that no run wrote."""
    vanished: list[float] = field(default_factory=list)
    """When a job that a list had shown was deleted, or lacked in the next."""
    lines: list[tuple[float, str, str]] = field(default_factory=list)
    tracing: bool = False

    def trace(self, at: float, who: str, what: str) -> None:
        """Write a line into the trace, if one is kept."""
        if self.tracing:
            self.lines.append((at, who, what))

    def ask(self, promises: Iterable[Callable[[T], Iterator[str]]], about: T, what: str) -> None:
        """Hold something to promises."""
        for promise in promises:
            for wrong in promise(about):
                self.violated(promise.__name__, f"{what}: {wrong}")

    def violated(self, invariant: str, what: str) -> None:
        """Note that a promise was broken."""
        self.violations.append(Violation(invariant, what))

    def of(self, key: RunKey) -> list[CreatedJob]:
        """Return the jobs of a run key under our project, the oldest first."""
        return [job for job in self.jobs.values() if job.key == key and job.project == PROJECT]


PROJECT = "shop"
"""Our project's name in every schedule."""

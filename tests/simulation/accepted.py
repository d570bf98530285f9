"""A write by the tool that the API accepted, with the facts that its run could know. The promises check such writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from reconciler.model import Adopt, JobSpec, RunKey
from reconciler.plans.action_documents import CancelDoc, CreateDoc
from reconciler.plans.document import PlanDoc
from reconciler.sandbox.lifecycle import Status
from tests.simulation.history import CreatedJob, History, RunRecord
from tests.simulation.process import START
from tests.simulation.server import LIVE, Server

_A = TypeVar("_A", CreateDoc, CancelDoc)


@dataclass(frozen=True)
class Accepted:
    """A create that was just accepted, or a cancel that is about to be handled."""

    history: History
    server: Server
    job: CreatedJob
    by: RunRecord
    reason: str = ""
    """Why a cancel was sent."""

    @property
    def agreed_by_the_ledger(self) -> bool:
        """Whether a person agreed to it, and the plan said that it rests on the ledger, of which some is forged."""
        by, key = self.by, self.job.key
        if (
            not self.history.faults["a line of the ledger is forged"]
            or not (by.asks or by.saved)
            or not by.agreed
        ):
            return False
        creates = actions(by.agreed, CreateDoc)
        return any((it.work, it.rerun) == key and it.rests_on_ledger for it in creates)

    @property
    def spec(self) -> JobSpec | None:
        """The spec of the run's checkout that wants the job's work; of several, the one that the job is named after."""
        return self.wanting(self.job)

    def wanting(self, job: CreatedJob) -> JobSpec | None:
        """Return the spec of the run's checkout that wants a job's work; of several, the one of the job's name."""
        found = self.all_wanting(job)
        return next((spec for spec in found if spec.name == job.name), found[0] if found else None)

    def all_wanting(self, job: CreatedJob) -> list[JobSpec]:
        """Return the specs of the run's checkout that want a job's work."""
        return [spec for spec in self.by.declared.specs if job.key in spec.run_keys]

    def selected(self, name: str) -> bool:
        """Whether the run was to look at a name."""
        return self.by.declared.selected is None or name in self.by.declared.selected

    def others(self) -> Iterator[CreatedJob]:
        """Yield the other jobs of the same work; of those with altered tags, the ones that the run's ledger knew."""
        if self.job.key is None:
            return
        for other in self.history.of(self.job.key):
            if other is not self.job and (not other.altered or other.id in self.by.knew):
                yield other

    def adopted(self) -> Iterator[tuple[Adopt, CreatedJob | None]]:
        """Yield what the run's specs adopt as having done the same work, and the job of it that was made by hand."""
        for spec in self.by.declared.specs:
            if spec.adopt and RunKey(spec.adopt.work, "") == self.job.key:
                yield spec.adopt, self.history.jobs.get(spec.adopt.job)

    def attempts(self) -> Iterator[CreatedJob]:
        """Yield the others, and those made by hand that count as one of them."""
        yield from self.others()
        yield from (job for _, job in self.adopted() if job is not None and job.work)

    def of_the_same_writer(self) -> Iterator[CreatedJob]:
        """Yield the other jobs that the strong promise covers: the one writer's, or of several writers this one's."""
        setup = self.history.setup
        if not self.history.bounds or not setup.remembers:
            return
        for other in self.others():
            one_writer = setup.one_writer and not other.root
            mine = one_writer or (other.by is not None and other.by.runner == self.by.runner)
            if mine and (other.deleted_at is None or other.id in self.by.knew):
                yield other

    def in_view(self, other: CreatedJob) -> bool:
        """Whether the run surely saw a job, and what it is, in the list that it planned on."""
        return in_view(self.by, other)

    def known(self, other: CreatedJob) -> bool:
        """Whether the run's list or its ledger shows a job."""
        return self.in_view(other) or other.id in self.by.knew

    def ended(self, other: CreatedJob) -> Status | None:
        """Return how a job had ended when the run planned; None if it had not."""
        if other.deleted_at is not None:
            return other.ended_as
        return self.server.ended_before(other.id, self.by.planned_on)

    def lived(self, other: CreatedJob) -> bool:
        """Whether a job was live when the run planned, and is so now."""
        then = self.server.was_live_at(other.id, self.by.planned_on)
        return then and self.server.status(other.id) in LIVE


def in_view(by: RunRecord, other: CreatedJob) -> bool:
    """Whether a run surely saw a job, and what it is, in the list that it planned on."""
    return (
        other.shows_at < by.planned_on
        and other.at < by.planned_on
        and other.deleted_at is None
        and (other.id not in by.misled or other.id in by.knew)
    )


def second(job: CreatedJob) -> int:
    """Return when a job was made as the API shows it: in whole seconds."""
    return int(START + job.at)


def actions(plan: PlanDoc, kind: type[_A]) -> list[_A]:
    """Return the actions of one kind."""
    return [it for decision in plan.decisions for it in decision.actions if isinstance(it, kind)]

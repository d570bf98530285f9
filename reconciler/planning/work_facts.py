"""How far the wanted work of one name is: complete, live, or at rest. Pure."""

from __future__ import annotations

from functools import cached_property

from reconciler.ledger.lines import CreateIntended
from reconciler.model import OwnedJob, Phase
from reconciler.planning.actions import Reason
from reconciler.planning.name_facts import NameFacts
from reconciler.planning.next_part import Verdict


class WorkFacts(NameFacts, frozen=True, kw_only=True, dict=True):
    """The facts about one name, and how far its wanted work is."""

    @cached_property
    def wanted(self) -> tuple[OwnedJob, ...]:
        """The jobs of the wanted run key, less those that were cancelled as duplicates."""
        return tuple(
            it
            for it in self.of_run_key
            if it.phase is not Phase.CANCELLED or not self._cancelled_as_duplicate(it.job.id)
        )

    def _cancelled_as_duplicate(self, job_id: str) -> bool:
        return self.memory.cancels.get(job_id) == Reason.DUPLICATE

    def wanted_in(self, *phases: Phase) -> tuple[OwnedJob, ...]:
        """Return the jobs of the wanted run key in one of `phases`."""
        return tuple(owned for owned in self.wanted if owned.phase in phases)

    @cached_property
    def newest(self) -> OwnedJob | None:
        """The latest attempt at the wanted work, by the server's clock: numbers start again once records are gone."""
        return max(self.wanted, key=rank, default=None)

    @cached_property
    def succeeded(self) -> bool:
        """Whether the wanted work is complete, or a job of it has succeeded and nothing is left to submit."""
        done = self.wanted_in(Phase.SUCCEEDED)
        if self.work is not None and self.work.verdict not in (Verdict.INCOMPLETE, Verdict.UNREAD):
            return self.work.verdict is Verdict.COMPLETE
        if any(it.completes_the_work for it in done):
            return True
        asked_again = any(it.is_part for it in self.wanted_in(Phase.ACTIVE, Phase.STOPPING))
        return not asked_again and any(it.reaches_the_end for it in done)

    @cached_property
    def running(self) -> bool:
        """Whether a job of the wanted work is queued or running, and none has succeeded."""
        return not self.succeeded and bool(self.wanted_in(Phase.ACTIVE))

    @cached_property
    def unsettled(self) -> CreateIntended | None:
        """A create of the wanted work that may still take effect; None if a job of it runs or has succeeded."""
        if self.succeeded or self.running:
            return None
        for key in sorted(self.run_keys):
            for intent in self.memory.open_by_run_key.get(key, ()):
                if intent.op not in self.seen_ops and self.now < self.memory.settles_at(intent):
                    return intent
        return None

    @cached_property
    def stopping(self) -> bool:
        """Whether a job of the wanted work is being cancelled, and no other runs, has succeeded or may still appear."""
        live = self.succeeded or self.running or self.unsettled is not None
        return not live and bool(self.wanted_in(Phase.STOPPING))

    @cached_property
    def at_rest(self) -> bool:
        """Whether the wanted work has neither succeeded nor a job that still may."""
        live = self.succeeded or self.running or self.stopping or self.unsettled is not None
        return self.work_is_wanted and not live

    @property
    def considered(self) -> bool:
        """Whether the name is selected."""
        return self.declared.selected is None or self.name in self.declared.selected

    @cached_property
    def donors(self) -> tuple[OwnedJob, ...]:
        """The ended jobs whose results decide which requests are left, the oldest first; none if whole jobs decide.

        Whole jobs decide if the work is complete by tags and counts, live, unsettled, or not wanted, or if no job has
        an answer.
        """
        if (
            not self.considered
            or not self.work_is_wanted
            or self.owner
            or self.running
            or self.stopping
            or self.unsettled
        ):
            return ()
        if any(it.completes_the_work for it in self.wanted_in(Phase.SUCCEEDED)):
            return ()
        mine = (it for it in self.jobs if it.tags.run_key in self.run_keys or self._lends(it))
        jobs = tuple(it for it in mine if it.phase.ended and not it.adopted)
        canary = self.spec is not None and self.spec.canary > 0
        return jobs if canary or any(it.job.has_answers or it.is_part for it in jobs) else ()

    def _lends(self, owned: OwnedJob) -> bool:
        """Whether the answers of a job of other work may count."""
        spec = self.spec
        return (
            spec is not None
            and spec.reuse
            and owned.tags.recipe == spec.recipe
            and owned.tags.run_key.rerun == spec.rerun
        )

    @cached_property
    def decided_by_request(self) -> bool:
        """Whether the state of each request decides: of work with a canary that was never submitted, too."""
        canary = self.spec is not None and self.spec.canary > 0
        free = self.considered and self.work_is_wanted and not self.owner and self.unsettled is None
        return bool(self.donors) or (canary and free and not self.of_run_key)


def rank(owned: OwnedJob) -> tuple[int, int, str]:
    """Sort attempts at one piece of work, the oldest first."""
    return (owned.job.created_at, owned.tags.attempt, owned.job.id)

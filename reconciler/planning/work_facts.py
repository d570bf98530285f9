"""Whether the wanted work of a name is at rest, and the jobs whose results decide about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.facts import cached_property
from reconciler.model import OwnedJob, Phase
from reconciler.planning.actions import Reason
from reconciler.planning.other_jobs import OtherJobs

OUR_CANCELS: Final = frozenset({Reason.REMOVED, Reason.SUSPENDED, Reason.SUPERSEDED})
"""Reasons of our own cancels, as the ledger records them, that may be undone. A cancelled duplicate is never one."""


class WorkFacts(OtherJobs, frozen=True, kw_only=True, dict=True):
    """The facts about one name, and the jobs whose results decide about its wanted work."""

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
    def possible_donors(self) -> tuple[OwnedJob, ...]:
        """The jobs that may answer what is wanted, the oldest first: they have ended, or do other work.

        None if the work is complete by tags and counts, live, unsettled, or not wanted.
        """
        wrong = self.seen is not None and not self.seen.counts.complete
        if (
            (self.complete and not wrong)
            or not self.considered
            or not self.work_is_wanted
            or self.owner
            or self.running
            or self.stopping
            or self.unsettled
        ):
            return ()
        mine = (it for it in self.jobs if it.phase.ended or it.tags.run_key not in self.run_keys)
        found = (
            *(it for it in mine if it.tags.run_key in self.run_keys or self.may_answer(it)),
            *(it for it in self.lenders if it.phase.ended and self.may_answer(it)),
        )
        return tuple(sorted((it for it in found if not it.adopted), key=lambda it: it.job.age_key))

    @cached_property
    def donors(self) -> tuple[OwnedJob, ...]:
        """The jobs whose results decide which requests are left, the oldest first; none if whole jobs decide.

        Whole jobs decide if no job has results, or may still show some.
        """
        jobs = self.possible_donors
        return jobs if self.decided_by(jobs) or any(map(may_still_answer, jobs)) else ()

    def decided_by(self, jobs: Iterable[OwnedJob]) -> bool:
        """Whether requests decide: of work in parts, if a job has results, or other work is live or was stopped."""
        in_parts = self.spec is not None and self.spec.in_parts
        return in_parts or any(self._shows_requests(it) for it in jobs)

    def _shows_requests(self, owned: OwnedJob) -> bool:
        ended_well = owned.phase is Phase.SUCCEEDED  # its answers are lost if it names no file
        known = owned.has_results or owned.is_part or ended_well or self._stopped_before(owned)
        return known or not owned.phase.ended

    def _stopped_before(self, owned: OwnedJob) -> bool:
        """Whether a person cancelled a job of other work."""
        stopped = owned.phase is Phase.CANCELLED and owned.tags.run_key not in self.run_keys
        return stopped and not self.cancelled_by_this_tool(owned)

    def cancelled_by_this_tool(self, owned: OwnedJob) -> bool:
        """Whether this tool cancelled a job, also as a duplicate."""
        return self._cancelled_as_duplicate(owned.job.id) or self.stopped_by_us(owned)

    def stopped_by_us(self, owned: OwnedJob) -> bool:
        """Whether this tool cancelled a job as removed, suspended or superseded.

        The ledger says so. Only for a job that the ledger does not know, the tag of the job that replaced it does. A
        cancel that was intended and is not known to have been accepted proves nothing, and neither does anything
        that happened later. An adopted job is never cancelled by this tool.
        """
        if any(it.adopted for it in self.jobs if it.job.id == owned.job.id):
            return False
        job_id, memory = owned.job.id, self.memory
        if memory.knows(job_id, owned.tags.op) and job_id not in memory.doubted_cancels:
            return memory.cancels.get(job_id) in OUR_CANCELS
        return job_id in self.replaced and memory.doubted_cancels.get(job_id, "") in OUR_CANCELS | {""}

    @cached_property
    def goes_on_by_request(self) -> bool:
        """Whether requests may be submitted that earlier jobs did not answer; otherwise whole jobs are enough."""
        spec = self.spec
        parts = any(it.is_part for it in self.of_run_key)
        allowed = spec is not None and bool(spec.in_parts or spec.reuse or spec.retry.max_attempts > 1)
        return allowed or parts or any(map(self.cancelled_by_this_tool, self.wanted_in(Phase.CANCELLED)))

    @property
    def needed(self) -> tuple[OwnedJob, ...]:
        """The jobs whose results show the state of requests that nothing else shows, and were not read."""
        unread = self.work.coverage.unread if self.work is not None else ()
        return tuple(it for it in self.donors if it.job.id in unread)

    @cached_property
    def decided_by_request(self) -> bool:
        """Whether the state of each request may decide: of work that was never submitted, too.

        It may be submitted in parts, or results may be left of jobs whose records are gone.
        """
        if self.donors:
            return True
        alone = self.spec is not None and bool(self.spec.in_parts or self.spec.reuse)
        if self.of_run_key:
            return alone and bool(self.possible_donors)
        return alone and self.considered and self.work_is_wanted and not self.owner and self.unsettled is None


def may_still_answer(owned: OwnedJob) -> bool:
    """Return whether an ended job may yet name its first result file: it was started and names none."""
    return owned.phase.ended and owned.job.started_at is not None and not owned.has_results

"""Whether the wanted work of a name is at rest, and the jobs whose results decide about it. Pure."""

from __future__ import annotations

from functools import cached_property

from reconciler.model import OwnedJob, Phase
from reconciler.planning.other_jobs import OtherJobs


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
    def donors(self) -> tuple[OwnedJob, ...]:
        """The jobs whose results decide which requests are left, the oldest first; none if whole jobs decide.

        They have ended, or do other work and were asked requests that may be wanted.
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
        mine = (it.phase.ended if it.tags.run_key in self.run_keys else self.lends(it) for it in self.jobs)
        jobs = tuple(it for it, counts in zip(self.jobs, mine, strict=True) if counts and not it.adopted)
        in_parts = self.spec is not None and self.spec.in_parts
        decide = in_parts or any(it.job.has_answers or it.is_part or not it.phase.ended for it in jobs)
        return jobs if decide else ()

    @cached_property
    def decided_by_request(self) -> bool:
        """Whether the state of each request decides: of work in parts that was never submitted, too."""
        in_parts = self.spec is not None and self.spec.in_parts
        free = self.considered and self.work_is_wanted and not self.owner and self.unsettled is None
        return bool(self.donors) or (in_parts and free and not self.of_run_key)

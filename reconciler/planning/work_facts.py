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
        wrong = self.seen is not None and not self.seen.tally.complete
        if not wrong and any(it.completes_the_work for it in self.wanted_in(Phase.SUCCEEDED)):
            return ()
        mine = (it for it in self.jobs if it.tags.run_key in self.run_keys or self._lends(it))
        jobs = tuple(it for it in mine if it.phase.ended and not it.adopted)
        in_parts = self.spec is not None and self.spec.in_parts
        return jobs if in_parts or any(it.job.has_answers or it.is_part for it in jobs) else ()

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
        """Whether the state of each request decides: of work in parts that was never submitted, too."""
        in_parts = self.spec is not None and self.spec.in_parts
        free = self.considered and self.work_is_wanted and not self.owner and self.unsettled is None
        return bool(self.donors) or (in_parts and free and not self.of_run_key)

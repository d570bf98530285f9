"""The live jobs of a name that do other work than the wanted one: which of them are cancelled. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.facts import cached_property
from reconciler.model import Job, JobSpec, OwnedJob, Phase, RunKey
from reconciler.planning.name_facts import NameFacts
from reconciler.planning.overlap import NO_OVERLAP, Overlap


class OtherJobs(NameFacts, frozen=True, kw_only=True, dict=True):
    """The facts about one name, what happens to its live jobs of other work, and whether it may be touched."""

    @cached_property
    def other_active(self) -> tuple[OwnedJob, ...]:
        """Live jobs of this name whose run key is not the wanted one."""
        return tuple(owned for owned in self.active if owned.tags.run_key not in self.run_keys)

    @cached_property
    def to_cancel(self) -> tuple[OwnedJob, ...]:
        """This folder's live jobs that are removed, suspended or superseded; neither duplicates nor adopted ones."""
        if self.spec is None:
            found = tuple(owned for owned in self.active if owned.tags.on_remove == "cancel")
        elif self.spec.suspend:
            found = self.active
        elif self.owner and not self.submitted:
            found = ()
        else:
            found = tuple(owned for owned in self.other_active if not self._ends_first(owned, self.spec))
        return tuple(owned for owned in found if not owned.adopted and not self.from_elsewhere(owned))

    def _ends_first(self, owned: OwnedJob, spec: JobSpec) -> bool:
        """Whether a live job of other work is left to end by itself."""
        if owned.adopted or owned.tags.run_key.rerun != spec.rerun:
            return True
        if spec.on_change != "auto":
            return spec.on_change == "finish"
        overlap = self.overlap(owned)
        return overlap is None or (overlap.open > 0 and overlap.open * 2 >= overlap.asked)

    def lends(self, recipe: str, rerun: str) -> bool:
        """Return whether answers of other work count: by the spec, or because the first job of the work reused some.

        A later job counts those of the work itself, also if the record of the first one is gone.
        """
        spec, begun = self.spec, any(it.tags.reused for it in self.of_run_key[:1] if it.tags.attempt == 1)
        return spec is not None and bool(spec.reuse or begun) and (recipe, rerun) == (spec.recipe, spec.rerun)

    def may_answer(self, owned: OwnedJob) -> bool:
        """Return whether answers of a job of other work count."""
        return self.lends(owned.tags.recipe, owned.tags.run_key.rerun)

    def overlap(self, owned: OwnedJob) -> Overlap | None:
        """Return what a live job of other work was asked, compared with what is wanted; None if that is not known."""
        if not self.may_answer(owned) or self.succeeded or self.running:
            return NO_OVERLAP
        return self.work.overlaps.get(owned.job.id) if self.work else None

    @cached_property
    def doomed(self) -> frozenset[str]:
        """The ids of the jobs in `to_cancel`."""
        return frozenset(owned.job.id for owned in self.to_cancel)

    def original_of(self, owned: OwnedJob) -> Job | None:
        """Return the job that a live job of this name duplicates, None if it is no duplicate."""
        keys = self.run_keys if owned.tags.run_key in self.run_keys else {owned.tags.run_key}
        return original(owned, (it for it in self.jobs if it.job.id not in self.doomed), keys)

    @cached_property
    def waited_for(self) -> OwnedJob | None:
        """The live job of other work that ends first, before anything is created; also one that only lends answers."""
        live = (Phase.ACTIVE, Phase.STOPPING)
        lenders = (it for it in self.lenders if it.phase in live and self.may_answer(it))
        stay = (owned for owned in self.other_active if owned.job.id not in self.doomed)
        others = (owned for owned in stay if self.original_of(owned) is None)
        return next((owned for owned in (*others, *lenders)), None)

    @cached_property
    def ends_first(self) -> OwnedJob | None:
        """The live job of other work that has to end before anything is created.

        It is waited for, or it is being cancelled, or will be, and its answers may count.
        """
        live = self.phase(Phase.ACTIVE, Phase.STOPPING)
        found = ((it, self.overlap(it)) for it in live if it.tags.run_key not in self.run_keys)
        stops = next((it for it, overlap in found if overlap is None or overlap.open), None)
        return self.waited_for or stops

    @cached_property
    def untouchable(self) -> bool:
        """Whether the whole name is held: its jobs are not understood, or this checkout may not cancel them."""
        if self.unreadable or any(not owned.job.phase.ended for owned in self.jobs):
            held = (self.unreadable_that_matter, self.of_unknown_status, self.live_elsewhere)
            return any(held) or any(map(self.foreign_commit, self.to_cancel))
        return False  # most names

    @cached_property
    def work_is_wanted(self) -> bool:
        """Whether work is wanted: the name is declared, not suspended, and can be touched."""
        return self.spec is not None and not self.spec.suspend and not self.untouchable


def original(owned: OwnedJob, among: Iterable[OwnedJob], keys: Collection[RunKey]) -> Job | None:
    """Return which of some jobs a live job duplicates: one that has succeeded, or that runs and is older; or None.

    A later attempt, and a job that was asked only a part of the work, is no duplicate of one that succeeded without
    completing it: it was created for what that one left. So two runners that see the same jobs agree which one stays.
    An adopted job is never cancelled, so it is none.

    Args:
        owned: the live job.
        among: jobs with any run key, `owned` among them.
        keys: the run keys of its work.
    """
    twins = [it for it in among if it.tags.run_key in keys]
    done = [
        it
        for it in twins
        if it.phase is Phase.SUCCEEDED
        and (it.completes_the_work or not (owned.is_part or owned.tags.attempt > it.tags.attempt))
    ]
    live = [it.job for it in twins if it.phase is Phase.ACTIVE]
    best = min(done, key=lambda it: it.success_key, default=None)
    stays = best.job if best else min(live, key=lambda job: job.age_key)
    return None if owned.adopted or owned.job.id == stays.id else stays

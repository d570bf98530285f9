"""The facts about one name: its spec, its jobs and what the ledger remembers of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property

from msgspec import Struct

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Job, JobSpec, OwnedJob, Phase, RunKey, Unreadable
from reconciler.planning.next_part import Work


class NameFacts(Struct, frozen=True, kw_only=True, dict=True):
    """The facts about one name."""

    name: str
    spec: JobSpec | None
    """None if the name is not declared."""
    jobs: tuple[OwnedJob, ...] = ()
    """The jobs that belong to this name, the oldest first."""
    unreadable: tuple[Unreadable, ...] = ()
    of_any_name: Unreadable | None = None
    """A job of which nothing shows whose it is: it may be a job of this name."""
    owner: str = ""
    """The other spec with the same work that owns its jobs, which are in `jobs` all the same; "" if this name does."""
    not_adopted: str = ""
    """Why the job that a spec adopts for the wanted work does not count; "" if it counts or none is adopted."""
    moved: tuple[tuple[OwnedJob, str], ...] = ()
    """Jobs with this name in their tags that belong to another spec, with that spec's name."""
    same_work_as: OwnedJob | None = None
    """The last job that did the wanted work under another rerun and another name. For readers only."""
    memory: Memory
    missing_ids: frozenset[str] = frozenset()
    declared: Declared
    seen_ops: frozenset[str] = frozenset()
    """The ops of every job in the workspace."""
    replaced: frozenset[str] = frozenset()
    """The ids of the jobs that other jobs' tags name as replaced."""
    work: Work | None = None
    """What is wanted, request by request; None if no results were read."""
    now: float

    @cached_property
    def run_keys(self) -> frozenset[RunKey]:
        """The wanted work, under every digest version."""
        return frozenset(self.spec.run_keys) if self.spec else frozenset()

    # The jobs of the name.

    def phase(self, *phases: Phase) -> tuple[OwnedJob, ...]:
        """Return the jobs of this name in one of `phases`."""
        return tuple(owned for owned in self.jobs if owned.job.phase in phases)

    @cached_property
    def of_run_key(self) -> tuple[OwnedJob, ...]:
        """The jobs of the wanted run key."""
        return tuple(owned for owned in self.jobs if owned.tags.run_key in self.run_keys)

    @cached_property
    def active(self) -> tuple[OwnedJob, ...]:
        """The jobs that are queued or running."""
        return self.phase(Phase.ACTIVE)

    @cached_property
    def of_unknown_status(self) -> tuple[OwnedJob, ...]:
        """The jobs with a status that this version does not know."""
        return self.phase(Phase.UNKNOWN)

    @cached_property
    def unreadable_that_matter(self) -> tuple[Unreadable, ...]:
        """The jobs with tags that cannot be read, except ended ones of an undeclared name."""
        return tuple(it for it in self.unreadable if self.spec is not None or not it.job.phase.ended)

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
        elif self.spec.on_change == "finish" or (self.owner and not self.submitted):
            found = ()
        else:
            found = tuple(owned for owned in self.other_active if not self.same_work(owned))
        return tuple(owned for owned in found if not owned.adopted and not self.from_elsewhere(owned))

    @cached_property
    def doomed(self) -> frozenset[str]:
        """The ids of the jobs in `to_cancel`."""
        return frozenset(owned.job.id for owned in self.to_cancel)

    def original_of(self, owned: OwnedJob) -> Job | None:
        """Return the job that a live job of this name duplicates, None if it is no duplicate."""
        keys = self.run_keys if owned.tags.run_key in self.run_keys else {owned.tags.run_key}
        return original(owned, (it for it in self.jobs if it.job.id not in self.doomed), keys)

    @cached_property
    def waited_for(self) -> Job | None:
        """The live job of other work that has to end before anything is created."""
        stay = (owned for owned in self.other_active if owned.job.id not in self.doomed)
        return next((owned.job for owned in stay if self.original_of(owned) is None), None)

    @cached_property
    def submitted(self) -> bool:
        """Whether a job of the wanted work is queued or running, or has succeeded."""
        return any(it.tags.run_key in self.run_keys for it in self.phase(Phase.ACTIVE, Phase.SUCCEEDED))

    @cached_property
    def own_jobs(self) -> tuple[OwnedJob, ...]:
        """The jobs that no other name owns, without adopted ones."""
        shared = self.run_keys if self.owner else ()
        return tuple(it for it in self.jobs if not it.adopted and it.tags.run_key not in shared)

    def same_work(self, owned: OwnedJob) -> bool:
        """Whether a job did the wanted work, whatever its rerun."""
        return any(owned.tags.run_key.work == key.work for key in self.run_keys)

    # Whether the name may be touched.

    def from_elsewhere(self, owned: OwnedJob) -> bool:
        """Whether this project submitted a job from a folder of the repository that is not this project's."""
        return not owned.adopted and owned.tags.source.root not in self.declared.roots

    @cached_property
    def live_elsewhere(self) -> tuple[OwnedJob, ...]:
        """The jobs from another folder that are queued, running or stopping."""
        return tuple(filter(self.from_elsewhere, self.phase(Phase.ACTIVE, Phase.STOPPING)))

    def foreign_commit(self, owned: OwnedJob) -> bool:
        """Whether a job was created from a commit that this checkout does not contain."""
        commit = owned.tags.source.commit
        return bool(commit) and commit not in (self.declared.ancestry.contained or ())

    @cached_property
    def newer_checkout(self) -> OwnedJob | None:
        """The last job of this name, if it was created from a commit that came after this checkout."""
        created = (owned for owned in self.jobs if not owned.adopted)
        last = max(created, key=lambda owned: owned.job.age_key, default=None)
        return (
            last
            if last is not None and last.tags.source.commit in self.declared.ancestry.descendants
            else None
        )

    @cached_property
    def untouchable(self) -> bool:
        """Whether the whole name is held: its jobs are not understood, or this checkout may not cancel them."""
        return (
            bool(self.unreadable_that_matter)
            or bool(self.of_unknown_status)
            or bool(self.live_elsewhere)
            or any(map(self.foreign_commit, self.to_cancel))
        )

    @cached_property
    def work_is_wanted(self) -> bool:
        """Whether work is wanted: the name is declared, not suspended, and can be touched."""
        return self.spec is not None and not self.spec.suspend and not self.untouchable


def original(owned: OwnedJob, among: Iterable[OwnedJob], keys: Collection[RunKey]) -> Job | None:
    """Return which of some jobs a live job duplicates: one that has succeeded, or that runs and is older; or None.

    A job that was asked only a part of the work is no duplicate of one that succeeded without completing it. So two
    runners that see the same jobs agree which one stays. An adopted job is never cancelled, so it is none.

    Args:
        owned: the live job.
        among: jobs with any run key, `owned` among them.
        keys: the run keys of its work.
    """
    twins = [it for it in among if it.tags.run_key in keys]
    done = [
        it for it in twins if it.phase is Phase.SUCCEEDED and (it.completes_the_work or not owned.is_part)
    ]
    live = [it.job for it in twins if it.phase is Phase.ACTIVE]
    best = min(done, key=lambda it: it.success_key, default=None)
    stays = best.job if best else min(live, key=lambda job: job.age_key)
    return None if owned.adopted or owned.job.id == stays.id else stays

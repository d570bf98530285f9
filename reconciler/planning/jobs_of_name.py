"""One name: its spec, its jobs and what the ledger remembers of them. Pure."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from reconciler.ledger.memory import Memory
from reconciler.model import JobSpec, OwnedJob, Phase, RunKey, Unreadable


class JobsOfName(Struct, frozen=True, kw_only=True, dict=True):
    """The facts about one name."""

    name: str
    spec: JobSpec | None
    """None if the name is not declared."""
    jobs: tuple[OwnedJob, ...] = ()
    """The jobs that belong to this name, the oldest first."""
    unreadable: tuple[Unreadable, ...] = ()
    not_adopted: str = ""
    """Why the job that a spec adopts for the wanted work does not count; "" if it counts or none is adopted."""
    moved: tuple[tuple[OwnedJob, str], ...] = ()
    """Jobs with this name in their tags that belong to another spec, with that spec's name."""
    same_work_as: OwnedJob | None = None
    """The last job that did the wanted work under another rerun and another name. For readers only."""
    memory: Memory
    missing_ids: frozenset[str] = frozenset()
    contained_commits: frozenset[str] | None = None
    descendant_commits: frozenset[str] = frozenset()
    uncommitted: frozenset[str] = frozenset()
    seen_ops: frozenset[str] = frozenset()
    """The ops of every job in the workspace."""
    replaced: frozenset[str] = frozenset()
    """The ids of the jobs that other jobs' tags name as replaced."""
    now: float
    run_keys: frozenset[RunKey] = frozenset()
    """The wanted work, under every digest version."""

    # The jobs of the name.

    def phase(self, *phases: Phase) -> tuple[OwnedJob, ...]:
        """Return the jobs of this name in one of `phases`."""
        return tuple(owned for owned in self.jobs if owned.job.phase in phases)

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
        """The live jobs that are removed, suspended or superseded. Neither duplicates nor adopted jobs are."""
        if self.spec is None:
            found = tuple(owned for owned in self.active if owned.tags.on_remove == "cancel")
        elif self.spec.suspend:
            found = self.active
        elif self.spec.on_change == "finish":
            found = ()
        else:
            found = tuple(owned for owned in self.other_active if not self.same_work(owned))
        return tuple(owned for owned in found if not owned.adopted)

    def same_work(self, owned: OwnedJob) -> bool:
        """Whether a job did the wanted work, whatever its rerun."""
        return any(owned.tags.run_key.work == key.work for key in self.run_keys)

    def foreign_commit(self, owned: OwnedJob) -> bool:
        """Whether a job was created from a commit that this checkout does not contain."""
        commit = owned.tags.source.commit
        return bool(commit) and (self.contained_commits is None or commit not in self.contained_commits)

    @cached_property
    def untouchable(self) -> bool:
        """Whether the whole name is held: its jobs are not understood, or this checkout may not cancel them."""
        return (
            bool(self.unreadable_that_matter)
            or bool(self.of_unknown_status)
            or any(map(self.foreign_commit, self.to_cancel))
        )

    @cached_property
    def declared(self) -> bool:
        """Whether work is wanted: the name is declared, not suspended, and can be touched."""
        return self.spec is not None and not self.spec.suspend and not self.untouchable

"""What there is under one name: its spec, its jobs and what the ledger remembers. Pure."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from reconciler.ledger.memory import Memory
from reconciler.model import JobSpec, Ours, Phase, RunKey, Unreadable


class JobsOfName(Struct, frozen=True, kw_only=True, dict=True):
    """What is known about one name."""

    name: str
    spec: JobSpec | None
    """None if the name is not declared."""
    jobs: tuple[Ours, ...] = ()
    """The jobs that belong to this name, the oldest first."""
    unreadable: tuple[Unreadable, ...] = ()
    not_adopted: str = ""
    """Why the job that a spec adopts for the wanted work does not count; "" if it counts or none is adopted."""
    moved: tuple[tuple[Ours, str], ...] = ()
    """Jobs that carry this name and belong to another spec, with that spec's name."""
    same_work_as: Ours | None = None
    """The last job that did the wanted work under another rerun and another name. For readers only."""
    memory: Memory
    gone: frozenset[str] = frozenset()
    lineage: frozenset[str] | None = None
    newer: frozenset[str] = frozenset()
    uncommitted: frozenset[str] = frozenset()
    seen_ops: frozenset[str] = frozenset()
    """The ops of every job in the workspace."""
    replaced: frozenset[str] = frozenset()
    """The ids of the jobs that a job in the workspace says it has replaced."""
    now: float
    run_keys: frozenset[RunKey] = frozenset()
    """The wanted work, under every digest version."""

    # The jobs of the name.

    def phase(self, *phases: Phase) -> tuple[Ours, ...]:
        """Return the jobs of this name in one of `phases`."""
        return tuple(ours for ours in self.jobs if ours.job.phase in phases)

    @cached_property
    def active(self) -> tuple[Ours, ...]:
        """The jobs that are queued or running."""
        return self.phase(Phase.ACTIVE)

    @cached_property
    def of_unknown_status(self) -> tuple[Ours, ...]:
        """The jobs with a status that this version does not know."""
        return self.phase(Phase.UNKNOWN)

    @cached_property
    def unreadable_that_matter(self) -> tuple[Unreadable, ...]:
        """The jobs with tags that cannot be read, less those that are history."""
        return tuple(it for it in self.unreadable if self.spec is not None or not it.job.phase.ended)

    @cached_property
    def other_active(self) -> tuple[Ours, ...]:
        """Live jobs of this name whose run key is not the wanted one."""
        return tuple(ours for ours in self.active if ours.tags.run_key not in self.run_keys)

    @cached_property
    def to_cancel(self) -> tuple[Ours, ...]:
        """The live jobs that are removed, suspended or superseded. Neither duplicates nor adopted jobs are."""
        if self.spec is None:
            found = tuple(ours for ours in self.active if ours.tags.on_remove == "cancel")
        elif self.spec.suspend:
            found = self.active
        elif self.spec.on_change == "finish":
            found = ()
        else:
            found = tuple(ours for ours in self.other_active if not self.same_work(ours))
        return tuple(ours for ours in found if not ours.adopted)

    def same_work(self, ours: Ours) -> bool:
        """Whether a job did the wanted work, whatever its rerun."""
        return any(ours.tags.run_key.work == key.work for key in self.run_keys)

    def foreign_commit(self, ours: Ours) -> bool:
        """Whether a job was created from a commit that this checkout does not contain."""
        commit = ours.tags.source.commit
        return bool(commit) and (self.lineage is None or commit not in self.lineage)

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

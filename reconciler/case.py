"""The situation of one name: everything a rule may look at, and nothing else.

`cases` deals the workspace's jobs out to the names. A job belongs to the spec that wants its run key, whatever it
was called when it was bought, and otherwise to the name it carries: so neither a rename nor a swap of two names
buys anything or cancels what another spec still wants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from reconciler.adoption import adoptions
from reconciler.ledger.memory import Memory, Remembered
from reconciler.model import Declared, JobSpec, Observed, Ours, Phase, RunKey, Unreadable

OUR_CANCELS = frozenset({"removed", "suspended", "superseded"})
"""Reasons of our own cancels that may be undone; a cancelled duplicate is never one of them."""
DUPLICATE = "duplicate"


class Case(Struct, frozen=True, kw_only=True, dict=True):
    """What is known about one name."""

    name: str
    spec: JobSpec | None
    """None where the name is not declared."""
    jobs: tuple[Ours, ...] = ()
    """The jobs that belong to this name, the oldest first."""
    unreadable: tuple[Unreadable, ...] = ()
    not_adopted: str = ""
    """Why the job that a spec adopts for the wanted work does not count; "" where nothing stands in the way."""
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

    def phase(self, *phases: Phase) -> tuple[Ours, ...]:
        """Return the jobs of this name in one of `phases`."""
        return tuple(ours for ours in self.jobs if ours.job.phase in phases)

    @cached_property
    def wanted(self) -> tuple[Ours, ...]:
        """The jobs of the wanted run key, less those that were cancelled as duplicates."""
        return tuple(
            ours
            for ours in self.jobs
            if ours.tags.run_key in self.run_keys
            and not (ours.phase is Phase.CANCELLED and self.memory.cancels.get(ours.job.id) == DUPLICATE)
        )

    @cached_property
    def other_active(self) -> tuple[Ours, ...]:
        """Live jobs of this name whose run key is not the wanted one."""
        return tuple(ours for ours in self.phase(Phase.ACTIVE) if ours.tags.run_key not in self.run_keys)

    def same_work(self, ours: Ours) -> bool:
        """Whether a job did the wanted work, whatever its rerun."""
        return any(ours.tags.run_key.work == key.work for key in self.run_keys)

    @cached_property
    def newest(self) -> Ours | None:
        """The latest attempt at the wanted work, by the server's clock: numbers start again once records are gone."""
        return max(self.wanted, key=rank, default=None)

    @cached_property
    def remembered(self) -> tuple[Remembered, ...]:
        """What memory knows of the wanted work."""
        return tuple(known for key in sorted(self.run_keys) for known in self.memory.by_run_key.get(key, ()))

    @cached_property
    def failures(self) -> int:
        """How many attempts at the wanted work have failed: those that are listed or remembered, or what tags count.

        Records may be deleted, so neither knows all; and twins carry the same number, so that says too little. What
        was deleted before anybody saw it end counts as failed, unless we stopped it.
        """
        failed = (Phase.FAILED, Phase.TIMED_OUT)
        found = {ours.job.id: ours.tags.attempt for ours in self.wanted if ours.phase in failed}
        found |= {
            known.job_id: known.attempt
            for known in self.remembered
            if known.phase in failed or (known.phase is None and self._lost(known))
        }
        return max(len(found), *found.values(), 0)

    def _lost(self, known: Remembered) -> bool:
        return known.job_id in self.gone and not self.cancelled_by_us(known)

    def cancelled_by_us(self, known: Remembered) -> bool:
        """Whether the ledger says that the API accepted this tool's cancel of a job, as a duplicate or otherwise."""
        return self.memory.cancels.get(known.job_id) in OUR_CANCELS | {DUPLICATE}

    def stopped_by_us(self, ours: Ours) -> bool:
        """Whether this tool cancelled a job as removed, suspended or superseded.

        The ledger says so. Only for a job that the ledger does not know, the tag of the job that replaced it does. A
        cancel that was intended and is not known to have been accepted proves nothing, and neither does anything
        that happened later. An adopted job is never cancelled by this tool.
        """
        if any(it.adopted for it in self.jobs if it.job.id == ours.job.id):
            return False
        if self.memory.knows(ours.job.id, ours.tags.op):
            return self.memory.cancels.get(ours.job.id) in OUR_CANCELS
        return ours.job.id in self.replaced

    @property
    def overtaken_by(self) -> Ours | None:
        """The last job of this name, where it was bought from a commit that came after this checkout."""
        bought = (ours for ours in self.jobs if not ours.adopted)
        last = max(bought, key=lambda ours: ours.job.age_key, default=None)
        return last if last is not None and last.tags.source.commit in self.newer else None

    def foreign_commit(self, ours: Ours) -> bool:
        """Whether a job was bought from a commit that this checkout does not contain."""
        commit = ours.tags.source.commit
        return bool(commit) and (self.lineage is None or commit not in self.lineage)


def rank(ours: Ours) -> tuple[int, int, str]:
    """Sort attempts at one piece of work, the oldest first."""
    return (ours.job.created_at, ours.tags.attempt, ours.job.id)


def cases(declared: Declared, observed: Observed, memory: Memory, *, now: float) -> Iterator[Case]:
    """Deal the jobs out to the names, and yield the case of each, sorted by name."""
    specs = {spec.name: spec for spec in declared.specs}
    wanted = {key: spec.name for spec in declared.specs for key in spec.run_keys}
    adopted = adoptions(specs, observed)
    problems = {wanted[it.run_key]: it.problem for it in adopted if it.problem and it.run_key in wanted}
    jobs: dict[str, list[Ours]] = defaultdict(list)
    moved: dict[str, list[tuple[Ours, str]]] = defaultdict(list)
    by_work: dict[str, Ours] = {}
    for ours in sorted(
        (*observed.ours, *(it.ours for it in adopted if it.ours)), key=lambda ours: ours.job.age_key
    ):
        name = wanted.get(ours.tags.run_key, ours.tags.name)
        jobs[name].append(ours)
        if not ours.adopted:
            by_work[ours.tags.run_key.work] = ours
        if name != ours.tags.name:
            moved[ours.tags.name].append((ours, name))
    unreadable = _unreadable(observed, wanted)
    seen_ops = frozenset(ours.tags.op for ours in observed.ours)
    replaced = frozenset[str]().union(*(ours.tags.over for ours in observed.ours))
    for name in sorted(specs.keys() | jobs.keys() | moved.keys() | unreadable.keys()):
        spec = specs.get(name)
        yield Case(
            name=name,
            spec=spec,
            jobs=tuple(jobs.get(name, ())),
            unreadable=tuple(unreadable.get(name, ())),
            not_adopted=problems.get(name, ""),
            moved=tuple(moved.get(name, ())),
            same_work_as=_same_work(spec, by_work) if spec else None,
            memory=memory,
            gone=observed.gone,
            lineage=declared.lineage,
            newer=declared.newer,
            uncommitted=declared.uncommitted,
            seen_ops=seen_ops,
            replaced=replaced,
            now=now,
            run_keys=frozenset(spec.run_keys) if spec else frozenset(),
        )


def _same_work(spec: JobSpec, by_work: Mapping[str, Ours]) -> Ours | None:
    found = (by_work.get(key.work) for key in spec.run_keys)
    return next((ours for ours in found if ours and ours.tags.run_key not in spec.run_keys), None)


def _unreadable(observed: Observed, wanted: Mapping[RunKey, str]) -> dict[str, list[Unreadable]]:
    """File each job under every name it could belong to; under its id where no name can be read.

    A damaged `rerun` must not hide whose work it is, so the work alone decides.
    """
    found: dict[str, list[Unreadable]] = defaultdict(list)
    for job in sorted(observed.unreadable, key=lambda unreadable: unreadable.job.age_key):
        work = job.run_key.work if job.run_key else None
        names = {job.name, *(name for key, name in wanted.items() if key.work == work)} - {None}
        for name in names or {f"job-{job.job.id}"}:
            found[str(name)].append(job)
    return found

"""The facts about one name: its spec, its jobs, what the ledger remembers, and how far its wanted work is. Pure."""

from __future__ import annotations

from msgspec import Struct

from reconciler.facts import cached_property
from reconciler.ledger.lines import CreateIntended, WorkSeen
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, JobSpec, OwnedJob, Phase, RunKey, Unreadable, WorkCounts
from reconciler.planning.actions import Reason
from reconciler.planning.work import Verdict, Work


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
    lending: tuple[str, ...] = ()
    """The other names whose jobs may answer: `reuse` lists them, or did, or they were this name's own before."""
    lenders: tuple[OwnedJob, ...] = ()
    """Jobs of other names whose answers may count: with this name in their tags, or of a name in `lending`."""
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
        return tuple([owned for owned in self.jobs if owned.job.phase in phases])

    @cached_property
    def of_run_key(self) -> tuple[OwnedJob, ...]:
        """The jobs of the wanted run key."""
        return tuple([owned for owned in self.jobs if owned.tags.run_key in self.run_keys])

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

    # How far the wanted work is.

    @cached_property
    def wanted(self) -> tuple[OwnedJob, ...]:
        """The jobs of the wanted run key, less those that were cancelled as duplicates."""
        return tuple(
            [
                it
                for it in self.of_run_key
                if it.job.phase is not Phase.CANCELLED or not self._cancelled_as_duplicate(it.job.id)
            ]
        )

    def _cancelled_as_duplicate(self, job_id: str) -> bool:
        return self.memory.cancels.get(job_id) == Reason.DUPLICATE

    def wanted_in(self, *phases: Phase) -> tuple[OwnedJob, ...]:
        """Return the jobs of the wanted run key in one of `phases`."""
        return tuple([owned for owned in self.wanted if owned.job.phase in phases])

    @cached_property
    def newest(self) -> OwnedJob | None:
        """The latest attempt at the wanted work, by the server's clock: numbers start again once records are gone."""
        return max(self.wanted, key=rank, default=None)

    @cached_property
    def complete(self) -> bool:
        """Whether the counts of a job of the wanted work say that every request is answered."""
        return any(it.completes_the_work for it in self.wanted)

    @cached_property
    def seen(self) -> WorkSeen | None:
        """What a run found that joined the results of every ended job of the wanted work, by the ledger.

        It shows no more than which results are to be read, and that there are answers if a job has some.
        """
        if not self.memory.seen:
            return None
        ended = [it.job for it in self.of_run_key if it.phase.ended]
        several = (self.memory.seen[key] for key in self.run_keys if key in self.memory.seen)
        found = (it for it in several if {job.id for job in ended}.issubset(it.jobs))
        return next(found, None) if any(job.has_answers for job in ended) else None

    @cached_property
    def counts(self) -> WorkCounts | None:
        """The numbers of the wanted work by its results, or else by the ledger; None if they are not known."""
        if self.work is not None and self.work.decides:
            return self.work.counts
        return self.seen.counts if self.seen else None

    @cached_property
    def succeeded(self) -> bool:
        """Whether the wanted work is complete, or a job of it has succeeded and nothing is left to submit."""
        if self.work is not None and self.work.decides and self.work.verdict is not Verdict.INCOMPLETE:
            return self.work.verdict is Verdict.COMPLETE
        if self.complete:
            return True
        done = self.wanted_in(Phase.SUCCEEDED)
        if done and self.counts is not None and self.counts.complete:
            return True
        asked_again = any(it.is_part for it in self.wanted_in(Phase.ACTIVE, Phase.STOPPING))
        return not asked_again and any(not it.not_asked for it in done)

    @cached_property
    def running(self) -> bool:
        """Whether a job of the wanted work is queued or running, and none has succeeded."""
        return not self.succeeded and bool(self.wanted_in(Phase.ACTIVE))

    @cached_property
    def unsettled(self) -> CreateIntended | None:
        """The last create under the name or one that lends, or of the wanted work, that may still take effect.

        None if a job of the wanted work runs or has succeeded: then nothing is created in any case.
        """
        if self.succeeded or self.running:
            return None
        memory, names = self.memory, (self.name, *self.lending)
        of_names = (it for name in names for it in memory.open_by_name.get(name, ()))
        of_work = (it for key in self.run_keys for it in memory.open_by_run_key.get(key, ()))
        several = (it for it in (*of_names, *of_work) if it.op not in self.seen_ops)
        last = max(several, key=lambda it: (it.at, it.op), default=None)
        return last if last and self.now < memory.settles_at(last) else None

    @cached_property
    def stopping(self) -> bool:
        """Whether a job of the wanted work is being cancelled, and no other runs, has succeeded or may still appear."""
        live = self.succeeded or self.running or self.unsettled is not None
        return not live and bool(self.wanted_in(Phase.STOPPING))


def rank(owned: OwnedJob) -> tuple[int, int, str]:
    """Sort attempts at one piece of work, the oldest first."""
    return (owned.job.created_at, owned.tags.attempt, owned.job.id)

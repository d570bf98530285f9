"""The case of one name: everything that a rule may use, and what follows from it about the wanted work. Pure.

The facts about the wanted work build on each other, each with its whole condition:

    at_rest       nothing of it is queued, running or stopping, nothing has succeeded, no create may still take effect
    accounted_for at rest, and the end of every job that the ledger or a spec knows is explained
    open_again    accounted for, and no person has to decide first
    restorable, retryable, not_submitted
                  open again, and there is work to create; at most one of them holds
"""

from __future__ import annotations

from typing import Final

from reconciler.facts import cached_property
from reconciler.ledger.memory import Remembered
from reconciler.model import OwnedJob, Phase
from reconciler.planning.actions import Reason
from reconciler.planning.name_facts import rank
from reconciler.planning.next_part import NextPart
from reconciler.planning.tally import Tally, by_counts, by_ledger, by_results
from reconciler.planning.work import Verdict
from reconciler.planning.work_facts import OUR_CANCELS, WorkFacts

BROKEN: Final = (Phase.FAILED, Phase.TIMED_OUT)
"""Phases of a job that ended by itself and has not succeeded."""
ENDED_EARLY: Final = (*BROKEN, Phase.CANCELLED)
"""Phases of an ended job that has not succeeded."""


class Case(WorkFacts, frozen=True, kw_only=True, dict=True):
    """The facts about one name, and what follows from them about its wanted work."""

    # What the ledger knows.

    @cached_property
    def remembered(self) -> tuple[Remembered, ...]:
        """The remembered jobs of the wanted work."""
        return tuple(known for key in sorted(self.run_keys) for known in self.memory.by_run_key.get(key, ()))

    @cached_property
    def remembered_gone(self) -> tuple[Remembered, ...]:
        """The remembered jobs whose records are gone."""
        return tuple(known for known in self.remembered if known.job_id in self.missing_ids)

    @cached_property
    def listed_or_duplicates(self) -> tuple[str, ...]:
        """The ids of the jobs of the wanted work that are listed, or that this tool cancelled as duplicates."""
        gone = (it.job_id for it in self.remembered_gone if self._cancelled_as_duplicate(it.job_id))
        return (*(owned.job.id for owned in self.of_run_key), *gone)

    @cached_property
    def success_gone(self) -> Remembered | None:
        """A remembered job that had succeeded and whose record is gone."""
        return next((it for it in self.remembered_gone if it.phase is Phase.SUCCEEDED), None)

    @cached_property
    def lost(self) -> Remembered | None:
        """A remembered job whose record is gone, that is no earlier attempt, and whose end is unexplained."""
        # A restored job carries the attempt of the one that was cancelled, so an equal number is no earlier one.
        listed = max((owned.tags.attempt for owned in self.wanted), default=0)
        for known in self.remembered_gone:
            explained = known.phase in (Phase.SUCCEEDED, *BROKEN) or self.cancelled_by_us(known)
            if known.attempt >= listed and not explained:
                return known
        return None

    @cached_property
    def accounted_for(self) -> bool:
        """Whether the wanted work is at rest, and the end of every job that a spec or the ledger knows is explained.

        Then whole jobs decide, unless their results show the state of each request.
        """
        return self._explained and self.verdict is None

    @cached_property
    def _explained(self) -> bool:
        return self.at_rest and not self.not_adopted and self.success_gone is None and self.lost is None

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the state of each request says about work that is not complete; None if whole jobs decide."""
        return self.work.verdict if self.work is not None and self._explained else None

    @cached_property
    def to_submit(self) -> NextPart | None:
        """The requests that the next job submits; None if whole jobs decide, or there is nothing to submit."""
        return self.work.part if self.work is not None and self.verdict is Verdict.SUBMIT else None

    @cached_property
    def failures(self) -> int:
        """How many attempts at the wanted work have failed: the failed jobs, or the highest attempt in their tags.

        Both are needed: records may be deleted, so counting jobs may miss some, and twins have the same attempt number.
        A job that was deleted before a run saw its end counts as failed, unless this tool cancelled it.
        """
        found = {owned.job.id: owned.tags.attempt for owned in self.wanted_in(*BROKEN)}
        found |= {
            known.job_id: known.attempt
            for known in self.remembered
            if known.phase in BROKEN or (known.phase is None and self._vanished(known))
        }
        return max(len(found), *found.values(), 0)

    def _vanished(self, known: Remembered) -> bool:
        return known.job_id in self.missing_ids and not self.cancelled_by_us(known)

    @cached_property
    def tally(self) -> Tally | None:
        """How many of the wanted requests are in each state; None if that is not known."""
        if self.work is not None:
            return by_results(self.work.coverage)
        if self.seen is not None and self.counts is not None and not self.running and not self.stopping:
            return by_ledger(self.counts)
        jobs = sorted(self.wanted, key=rank)
        if jobs:
            of = jobs[-1].of_work if jobs[-1].is_part else jobs[-1].requests
        else:
            of = None if self.spec is None or self.remembered_gone else self.spec.requests
        return None if of is None else by_counts(of, jobs, self.stopped_by_us)

    # Who stopped it, and what it answered.

    def cancelled_by_us(self, known: Remembered) -> bool:
        """Whether the ledger says that the API accepted this tool's cancel of a job, as a duplicate or otherwise."""
        return self.memory.cancels.get(known.job_id) in OUR_CANCELS | {Reason.DUPLICATE}

    @cached_property
    def stopped_by_a_person(self) -> OwnedJob | None:
        """The newest job that was cancelled and not by us, unless the spec allows more attempts since.

        If the ledger knows the job, it counts even if a younger twin went on. Of other jobs the newest attempt counts,
        and an older one that ended after that was created. Who cancelled one before is not known, and the tool did
        create the work again. An adopted job that came later was not created for the spec, so it is no newer attempt.
        """
        since = max((owned for owned in self.wanted if not owned.adopted), key=rank, default=None)
        stopped = [
            owned
            for owned in self.wanted_in(Phase.CANCELLED)
            if not (since and self._repeated_by(since, owned))
            and not self.stopped_by_us(owned)
            and not self._raised_since(owned)
        ]
        return max(stopped, key=rank, default=None)

    def _raised_since(self, owned: OwnedJob) -> bool:
        """Whether the spec allows more attempts than it did when a job was created: `reconciler retry`."""
        allowed = self.spec.retry.max_attempts if self.spec else 0
        return not owned.adopted and allowed > owned.tags.terms.max_attempts

    def _repeated_by(self, later: OwnedJob, owned: OwnedJob) -> bool:
        """Whether an attempt was created after the end of a job that the ledger does not know."""
        ended = owned.job.completed_at
        return (
            rank(owned) < rank(later)
            and (ended is None or ended <= later.job.created_at)
            and not self.memory.knows(owned.job.id, owned.tags.op)
        )

    @cached_property
    def partly_answered(self) -> OwnedJob | Remembered | None:
        """A job that failed, timed out or was cancelled with some answers, now or when the ledger saw its end."""
        listed = (owned for owned in self.wanted_in(*ENDED_EARLY) if owned.job.has_answers)
        known = (
            it
            for it in self.remembered
            if it.phase in ENDED_EARLY and it.has_answers and not self._cancelled_as_duplicate(it.job_id)
        )
        return next(listed, None) or next(known, None)

    # What may be created.

    @cached_property
    def open_again(self) -> bool:
        """Whether all ends are explained, and no person has to decide before more is created."""
        return (
            self.accounted_for
            and self.stopped_by_a_person is None
            and self.partly_answered is None
            and not self.submitted_in_parts
        )

    @cached_property
    def submitted_in_parts(self) -> bool:
        """Whether a job was asked a part of the work, so that only results show what is left."""
        return any(it.is_part for it in self.of_run_key)

    @cached_property
    def attempts_left(self) -> bool:
        """Whether the wanted work has failed less often than its spec allows."""
        return self.spec is not None and self.failures < self.spec.retry.max_attempts

    @cached_property
    def restorable(self) -> bool:
        """Whether the newest attempt was cancelled, though not as a duplicate, and attempts are left."""
        if not self.open_again or not self.attempts_left:
            return False
        if self.newest is not None:
            return self.newest.phase is Phase.CANCELLED
        return any(
            known.phase in (None, Phase.CANCELLED)  # otherwise the cancel came too late
            and self.memory.cancels.get(known.job_id) in OUR_CANCELS
            for known in self.remembered_gone
        )

    @cached_property
    def failed(self) -> bool:
        """Whether the wanted work has failed, and was not cancelled by us since."""
        return self.open_again and not self.restorable and self.failures > 0

    @cached_property
    def retryable(self) -> bool:
        """Whether the wanted work has failed in a way that the spec retries, and attempts are left."""
        if not self.failed or self.spec is None:
            return False
        phase = self.newest.phase if self.newest else self._remembered_failure()
        return phase in self.spec.retry.on and self.attempts_left

    def _remembered_failure(self) -> Phase | None:
        ended = [known for known in self.remembered if known.phase not in (None, Phase.CANCELLED)]
        return max(((known.attempt, known.phase) for known in ended if known.phase), default=(0, None))[1]

    @cached_property
    def not_submitted(self) -> bool:
        """Whether no job of the wanted work is listed, and none is remembered as failed or as cancelled by us."""
        return self.open_again and not self.restorable and not self.failed and not self.listed_or_duplicates

    @property
    def to_create(self) -> bool:
        """Whether the wanted work would be created, unless something is in the way."""
        return self.restorable or self.retryable or self.not_submitted or self.to_submit is not None

    @property
    def wants_more(self) -> bool:
        """Whether something is to be created, now or once a job of other work has ended."""
        return self.to_create or self.verdict is Verdict.LIVE

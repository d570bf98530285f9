"""Plan -> outcomes. No decisions: what is done is what the plan holds, and every part of it has an outcome.

The decisions run side by side, and one that fails does not stop the others. Within a decision creates come first,
and what they replace is cancelled once the new job is known.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, assert_never

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, OutcomeUnknownError
from reconciler.context import Run
from reconciler.errors import ReconcilerError
from reconciler.execution.cancel import cancel_job
from reconciler.execution.create import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Altered,
    Bought,
    FileIds,
    Lost,
    NotSent,
    Refused,
    Result,
    buy,
)
from reconciler.execution.uploads import Uploads
from reconciler.model import JobSpec
from reconciler.planning.actions import Cancel, Create, Decision, Plan
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown

CREATE: Final = "create"
CANCEL: Final = "cancel"


class Applier:
    """Carries out one plan.

    Args:
        run: what to work with.
    """

    def __init__(self, run: Run[Writer]) -> None:
        self._run = run
        self._world = run.world
        self._uploads = Uploads(run)
        self._altered = threading.Event()

    def apply(self, plan: Plan) -> tuple[Outcome, ...]:
        """Do what the plan holds; one outcome for each create and cancel, in the plan's order."""
        pending = [decision for decision in plan.decisions if decision.pending]
        self._uploads.expect(create.spec for create in plan.of(Create))
        self._world.progress.expect("writing", len(plan.of(Create)) + len(plan.of(Cancel)))
        done = self._world.spread(self._decision, pending, at_once=self._run.limits.in_flight)
        return tuple(outcome for outcomes in done for outcome in outcomes)

    def _decision(self, decision: Decision) -> list[Outcome]:
        """Create, then cancel; the other way round where there is no room for both."""
        creates, cancels = decision.of(Create), decision.of(Cancel)
        outcomes: list[Outcome] = []
        missing = ""
        if any(cancel.first for cancel in cancels):
            missing = self._without_inputs(creates)
            if not missing:
                outcomes = [self._done(self._cancel(decision.name, it)) for it in cancels if it.first]
                missing = self._in_the_way(outcomes)
                cancels = tuple(cancel for cancel in cancels if not cancel.first)
        over = tuple(cancel.ours.job.id for cancel in decision.of(Cancel) if cancel.twin is None)
        for create in creates:
            skipped = self._skipped(create, missing) if missing else None
            outcomes.append(self._done(skipped or self._create(create, over)))
        kept = any(not isinstance(outcome, Created | Cancelled) for outcome in outcomes)
        for cancel in cancels:
            why = "what replaces it was not created"
            skipped = Skipped(name=decision.name, action=CANCEL, why=why) if kept else None
            outcomes.append(self._done(skipped or self._cancel(decision.name, cancel)))
        return outcomes

    def _done(self, outcome: Outcome) -> Outcome:
        self._world.progress.advance("writing", 1)
        return outcome

    def _without_inputs(self, creates: Sequence[Create]) -> str:
        """Send what is bought before anything is given up for it; return why that failed, "" where it did not."""
        try:
            for create in creates:
                self._uploads.ids(create.spec)
        except ReconcilerError as error:
            return f"its input could not be sent: {error}"
        return ""

    def _in_the_way(self, outcomes: list[Outcome]) -> str:
        """Wait until what was cancelled first has stopped; return what still takes its room, "" for nothing."""
        wait = FIRST_WAIT
        for outcome in outcomes:
            if not isinstance(outcome, Cancelled):
                return "there is no room for it, since what it replaces was not cancelled"
            job = outcome.job
            while not job.phase.ended:
                left = self._run.give_up_at - self._world.monotonic()
                if left <= 0 or self._world.stop.is_set():
                    return f"{job.short_id}, which it replaces, has not stopped yet: run again"
                self._world.sleep(min(wait, left))
                wait = min(wait * 2, LONGEST_WAIT)
                try:
                    job = self._run.api.get_job(job.id)
                except ApiError as error:
                    return f"nobody can tell whether {job.short_id}, which it replaces, has stopped: {error}"
        return ""

    def _create(self, create: Create, over: tuple[str, ...]) -> Outcome:
        name = create.spec.name
        if self._world.stop.is_set():
            return self._skipped(create, "the run was asked to stop")
        if self._altered.is_set():
            return self._skipped(create, "the API alters our tags")
        began = self._world.monotonic()
        result = self._buy(create, over)
        elapsed_ms = round((self._world.monotonic() - began) * 1000)
        match result:
            case Bought():
                self._world.log(
                    "job.adopted" if result.adopted else "job.created",
                    name=name,
                    job_id=result.job.id,
                    op=result.op,
                    reason=create.reason,
                    attempt=create.attempt,
                    requests=create.spec.requests,
                    elapsed_ms=elapsed_ms,
                )
                return Created(name=name, job=result.job, op=result.op, adopted=result.adopted)
            case Altered():
                self._altered.set()
                self._world.log("job.tags_altered", name=name, job_id=result.job.id, key=result.key)
                return Failed(name=name, action=CREATE, error=_altered(result), job=result.job)
            case Refused() | NotSent():
                self._world.log("job.create_failed", name=name, error=str(result.error))
                unsent = self._claim_of(create) if isinstance(result, NotSent) else ""
                return Failed(name=name, action=CREATE, error=result.error, unsent=unsent)
            case Lost():
                return Unknown(name=name, action=CREATE, error=result.error, until=result.until)
            case _:
                assert_never(result)

    def _skipped(self, create: Create, why: str) -> Skipped:
        return Skipped(name=create.spec.name, action=CREATE, why=why, unsent=self._claim_of(create))

    def _claim_of(self, create: Create) -> str:
        return self._run.ops.get(create.spec.run_key, "")

    def _buy(self, create: Create, over: tuple[str, ...]) -> Result:
        """Buy; if that was refused because an upload of an earlier run is gone, send it and try once more."""
        try:
            ids = self._uploads.ids(create.spec)
        except ReconcilerError as error:
            return NotSent(error=error)
        return buy(self._run, create, ids, over=over, renew=lambda ids: self._renewed(create.spec, ids))

    def _renewed(self, spec: JobSpec, ids: FileIds) -> FileIds:
        """Upload the inputs of a spec again that are gone; the ids stay the same if nobody can tell.

        Raises:
            ReconcilerError: an input could not be uploaded.
        """
        try:
            vanished = self._uploads.vanished(ids)
        except ApiError:
            return ids
        return self._uploads.ids(spec) if vanished else ids

    def _cancel(self, name: str, cancel: Cancel) -> Outcome:
        if self._world.stop.is_set():
            return Skipped(name=name, action=CANCEL, why="the run was asked to stop")
        job = cancel.ours.job
        try:
            job = cancel_job(self._run, job, name=name, reason=cancel.reason)
        except OutcomeUnknownError as error:
            return Unknown(name=name, action=CANCEL, error=error, until=None)
        except ReconcilerError as error:
            return Failed(name=name, action=CANCEL, error=error)
        return Cancelled(name=name, job=job)


def _altered(result: Altered) -> ReconcilerError:
    return ReconcilerError(
        f"job {result.job.id} was created, and the API altered its tag {result.key}",
        hint="no more jobs are created: they could not be recognised later; please report this",
    )

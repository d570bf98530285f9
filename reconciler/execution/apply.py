"""Carries out a plan and returns an outcome for each create and cancel. It adds no action to the plan.

Decisions run concurrently, and one that fails does not stop the others. Within a decision, creates come first; the jobs
that they replace are cancelled once the new job is known.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence

from msgspec import structs

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, OutcomeUnknownError
from reconciler.context import RunContext
from reconciler.errors import ReconcilerError, explaining
from reconciler.execution import part_files
from reconciler.execution.after_create import Pauses
from reconciler.execution.cancel import cancel_job
from reconciler.execution.create import CreateResult, create_job_once
from reconciler.execution.prepared_create import FileIds
from reconciler.execution.uploads import Uploads
from reconciler.model import JobSpec
from reconciler.planning.actions import Cancel, Create, Decision, Plan
from reconciler.plans.outcomes import CANCEL, CREATE, Cancelled, Created, Failed, Outcome, Skipped, Unknown


class Applier:
    """Carries out one plan."""

    def __init__(self, run: RunContext[Writer]) -> None:
        self._run = run
        self._env = run.env
        self._uploads = Uploads(run)
        self._parts = run.folder / "parts"
        self._altered = threading.Event()

    def apply(self, plan: Plan) -> tuple[Outcome, ...]:
        """Carry out a plan and return one outcome for each create and cancel, in the plan's order."""
        pending = [decision for decision in plan.decisions if decision.pending]
        self._uploads.expect(create.spec for create in plan.of(Create) if create.part is None)
        self._env.progress.expect("writing", len(plan.of(Create)) + len(plan.of(Cancel)))
        if any(create.part is not None for create in plan.of(Create)):
            shutil.rmtree(
                self._parts, ignore_errors=True
            )  # an earlier run's: this one's are indexed after it
        done = self._env.map_concurrently(self._decision, pending, max_workers=self._run.limits.in_flight)
        return tuple(outcome for outcomes in done for outcome in outcomes)

    def _decision(self, decision: Decision) -> list[Outcome]:
        """Create, then cancel; cancel first if the workspace has no room for both."""
        creates, cancels = decision.of(Create), decision.of(Cancel)
        outcomes: list[Outcome] = []
        missing = ""
        if any(cancel.cancel_before_create for cancel in cancels):
            missing = self._upload_first(creates)
            if not missing:
                outcomes = [
                    self._count_progress(self._cancel(decision.name, it))
                    for it in cancels
                    if it.cancel_before_create
                ]
                missing = self._wait_for_capacity(outcomes)
                cancels = tuple(cancel for cancel in cancels if not cancel.cancel_before_create)
        over = tuple(cancel.owned.job.id for cancel in decision.of(Cancel) if cancel.duplicate_of is None)
        for create in creates:
            skipped = self._skipped(create, missing) if missing else None
            outcomes.append(self._count_progress(skipped or self._create(create, over)))
        kept = any(not isinstance(outcome, Created | Cancelled) for outcome in outcomes)
        unknown = any(isinstance(outcome, Unknown) for outcome in outcomes)
        for cancel in cancels:
            why = f"the job that replaces it {'may not have been' if unknown else 'was not'} created"
            skipped = Skipped(name=decision.name, action=CANCEL, why=why) if kept else None
            outcomes.append(self._count_progress(skipped or self._cancel(decision.name, cancel)))
        return outcomes

    def _count_progress(self, outcome: Outcome) -> Outcome:
        self._env.progress.advance("writing", 1)
        return outcome

    def _upload_first(self, creates: Sequence[Create]) -> str:
        """Upload the inputs before a job is cancelled for the create; return why that failed, "" if it did not."""
        try:
            for create in creates:
                self._uploads.ids(self._cut(create).sent)
        except ReconcilerError as error:
            return f"its input could not be uploaded: {error}"
        return ""

    def _wait_for_capacity(self, outcomes: list[Outcome]) -> str:
        """Wait until the cancelled jobs have stopped; return why there is still no room, "" if there is."""
        pauses = Pauses(self._env, until=self._run.give_up_at)
        for outcome in outcomes:
            if not isinstance(outcome, Cancelled):
                return "there is no room for it: the job that it replaces was not cancelled"
            job = outcome.job
            while not job.phase.ended:
                if not pauses.wait():
                    return f"{job.short_id}, which it replaces, has not stopped yet: run again"
                try:
                    job = self._run.api.get_job(job.id)
                except ApiError as error:
                    return f"whether {job.short_id}, which it replaces, has stopped is unknown: {error}"
        return ""

    def _create(self, create: Create, over: tuple[str, ...]) -> Outcome:
        if self._env.stop.is_set():
            return self._skipped(create, "the run was asked to stop")
        if self._altered.is_set():
            return self._skipped(create, "the API alters our tags")
        with self._env.span("create"):
            return self._log_create(create, self._env.monotonic(), self._create_once(create, over))

    def _log_create(self, create: Create, began: float, outcome: CreateResult) -> CreateResult:
        name = create.spec.name
        if isinstance(outcome, Created):
            self._env.log(
                "job.recovered" if outcome.recovered else "job.created",
                name=name,
                job_id=outcome.job.id,
                op=outcome.op,
                reason=create.reason,
                attempt=create.attempt,
                requests=create.requests,
                elapsed_ms=round((self._env.monotonic() - began) * 1000),
            )
        elif isinstance(outcome, Failed) and outcome.job is not None:
            self._altered.set()
        elif isinstance(outcome, Failed):
            self._env.log("job.create_failed", name=name, error=str(outcome.error))
        return outcome

    def _skipped(self, create: Create, why: str) -> Skipped:
        return Skipped(name=create.spec.name, action=CREATE, why=why, unsent=self._op_of(create))

    def _op_of(self, create: Create) -> str:
        return self._run.ops.get(create.spec.run_key, "")

    def _create_once(self, create: Create, over: tuple[str, ...]) -> CreateResult:
        """Create the job; if the API refuses it because an earlier run's upload is gone, upload that and try again."""
        try:
            create = self._cut(create)
            ids = self._uploads.ids(create.sent)
        except ReconcilerError as error:
            name = create.spec.name
            return Failed(name=name, action=CREATE, error=error, unsent=self._op_of(create))
        return create_job_once(
            self._run, create, ids, over=over, renew=lambda ids: self._renewed(create.sent, ids)
        )

    def _cut(self, create: Create) -> Create:
        """Return a create with the inputs that it sends.

        Raises `ReconcilerError` if the inputs of a part cannot be made.
        """
        if create.part is None or create.submitted is not None:
            return create
        root, folder = self._run.project.root, self._parts / create.spec.name
        with explaining("the requests to submit cannot be written", "make room, then run again"):
            submitted = part_files.cut(create.spec.inputs, create.part, root=root, folder=folder)
        return structs.replace(create, submitted=submitted)

    def _renewed(self, spec: JobSpec, ids: FileIds) -> FileIds:
        """Upload the inputs of a spec that are gone again; the ids stay the same if that cannot be determined.

        Raises `ReconcilerError` if an input could not be uploaded.
        """
        try:
            vanished = self._uploads.forget_deleted(ids)
        except ApiError:
            return ids
        return self._uploads.ids(spec) if vanished else ids

    def _cancel(self, name: str, cancel: Cancel) -> Outcome:
        if self._env.stop.is_set():
            return Skipped(name=name, action=CANCEL, why="the run was asked to stop")
        job = cancel.owned.job
        try:
            job = cancel_job(self._run, job, name=name, reason=cancel.reason)
        except OutcomeUnknownError as error:
            return Unknown(name=name, action=CANCEL, error=error, until=None)
        except ReconcilerError as error:
            return Failed(name=name, action=CANCEL, error=error)
        return Cancelled(name=name, job=job)

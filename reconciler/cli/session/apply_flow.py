"""The steps of one apply: first round, later rounds, report, notifications. `reconciler apply` orders them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace

from reconciler.api.client import Writer
from reconciler.cli.output.errors import write_error
from reconciler.cli.output.plan_output import write_outcomes, write_plan
from reconciler.cli.params.options import confirmed
from reconciler.cli.session.apply_wait import RoundReporter, WaitResult, follow, later_rounds_notice
from reconciler.cli.session.notify import send_notifications
from reconciler.cli.session.session import locked
from reconciler.cli.session.signals import Interrupts, signal_name
from reconciler.context import RunContext
from reconciler.errors import ExitCode, ReconcilerError, first_that_holds
from reconciler.ledger.lock import LockHeldError
from reconciler.model import Declared
from reconciler.outputs.submitted import index_submitted
from reconciler.plans.agreement import AgreedPlan
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown, exit_codes
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.plan_summary import totals
from reconciler.runs.apply import plan_and_apply


@dataclass(kw_only=True)
class ApplyFlow:
    """One running apply."""

    run: RunContext[Writer]
    """It holds the lock, or with `wait` takes it for each round."""
    interrupted: Interrupts
    declared: Declared
    """The specs, as first read."""
    saved: PlanDoc | None
    """The plan file that is applied."""
    agreed: Sequence[AgreedPlan] | None
    """The plans that were agreed to, if nothing else may be done."""
    ask: bool
    """Whether to ask for confirmation."""
    wait: bool
    """Whether to continue until every job has ended."""
    reporter: RoundReporter
    began: float
    """Unix seconds: before anything was read."""
    last_shown: PlannedRun | None = None
    """The plan that was shown last."""
    approved: bool = False

    def first(self) -> tuple[PlannedRun, tuple[Outcome, ...]]:
        """Plan, show, ask, apply."""
        with self._locked():
            planned, outcomes = plan_and_apply(
                self.run,
                self.declared,
                self._approve,
                asks=self.ask,
                saved=self.saved,
                agreed=self.agreed,
            )
        index_submitted(self.run, self.declared.specs, outcomes)
        return planned, outcomes

    def _approve(self, planned: PlannedRun) -> bool:
        self.last_shown = planned
        then = later_rounds_notice(planned, self.saved) if self.wait else ()
        document, output = planned.document, replace(self.reporter.output, comment=None)
        if output.form in ("text", "markdown"):
            write_plan(self.run.env, document, output, remarks=(*planned.remarks, *then))
        question = f"Apply this on {document.target.host} ({totals(document)})?"
        self.approved = not self.ask or not document.pending or confirmed(question)
        return self.approved and self.interrupted.enter_graceful_shutdown()

    def rest(self, planned: PlannedRun, outcomes: tuple[Outcome, ...], timeout: float | None) -> WaitResult:
        """With `wait`, if the plan was approved, continue until every job has ended or for `timeout` seconds."""
        if not (self.wait and self.approved):
            return WaitResult(outcomes=outcomes)
        self.interrupted.enter_graceful_shutdown()
        self.reporter.round(planned, outcomes)
        return follow(
            self.run,
            self.declared,
            approved=(self.last_shown or planned).plan,
            first=(planned, outcomes),
            saved=self.saved,
            reporter=self.reporter,
            timeout=timeout,
        )

    def code(self, planned: PlannedRun, result: WaitResult, *, fail_on_attention: bool) -> ExitCode:
        """Return the exit code, and log the end."""
        holds = exit_codes(result.outcomes) | self.interrupted.codes | result.codes
        for signalled in sorted(self.interrupted.codes):
            self.run.env.log("run.interrupted", signal=signal_name(signalled))
        if fail_on_attention and planned.plan.attention:
            holds.add(ExitCode.ATTENTION)
        if self.approved and planned.refusals:
            holds.add(ExitCode.GUARD)
        code = first_that_holds(holds)
        if result.outcomes:
            log_finished(self.run, result.outcomes, code)
        return code

    def report(self, planned: PlannedRun, result: WaitResult, code: ExitCode) -> ExitCode:
        """Report the outcomes; return the exit code, which a failed report changes too."""
        try:
            if result.state is not None:
                self.reporter.end(planned, result.outcomes, result.state, code)
            output = self.reporter.output
            already_reported = result.state is not None or self.reporter.rounds
            write_outcomes(
                self.run.env,
                planned.document,
                result.outcomes,
                replace(output, form="") if already_reported else output,
                code=code,
                remarks=planned.remarks,
            )
        except ReconcilerError as error:
            write_error(self.run.env, error)
            return first_that_holds({code, ExitCode.PARTIAL if result.outcomes else ExitCode.FAILED})
        if self.approved and planned.refusals:
            first, *more = planned.refusals
            done = "held back" if result.outcomes else "nothing was done"
            also = f" ({len(more)} more above)" if more else ""
            write_error(self.run.env, ReconcilerError(f"{done}: {first.message}{also}", hint=first.hint))
        return code

    def notify(self, planned: PlannedRun) -> None:
        """Notify `on_end` of ended jobs. If another apply holds the lock, that one does it."""
        self.interrupted.enter_graceful_shutdown()
        with suppress(LockHeldError), self._locked():
            send_notifications(self.run, planned.observed.owned, since=self.began)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.run) if self.wait else nullcontext()


def log_finished(run: RunContext[Writer], outcomes: Sequence[Outcome], code: ExitCode) -> None:
    """Log the numbers of a finished apply."""
    kinds = Counter(type(outcome) for outcome in outcomes)
    env = run.env
    env.log(
        "apply.finished",
        created=kinds[Created],
        recovered=sum(isinstance(outcome, Created) and outcome.recovered for outcome in outcomes),
        cancelled=kinds[Cancelled],
        failed=kinds[Failed],
        unknown=kinds[Unknown],
        skipped=kinds[Skipped],
        exit_code=int(code),
        elapsed_ms=round((env.monotonic() - run.began) * 1000),
    )

"""The steps of one apply: first round, later rounds, report, notifications. `reconciler apply` orders them.

Only `apply` runs hooks. `plan` and `validate` read what a pull request proposes, and must not run commands it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from msgspec.structs import replace

from reconciler.api.client import Writer
from reconciler.cli.output.job_bars import job_bars
from reconciler.cli.output.plan_output import write_outcomes, write_plan
from reconciler.cli.output.streams import confirmed, write_error, write_stderr, write_stdout
from reconciler.cli.params.options import Output
from reconciler.cli.session.session import locked
from reconciler.cli.session.signals import Interrupts, signal_name
from reconciler.context import RunContext
from reconciler.errors import ExitCode, ReconcilerError, first_that_holds
from reconciler.ledger.file import LockHeldError
from reconciler.model import Declared
from reconciler.outputs.submitted import index_submitted
from reconciler.planning.standing import Standing
from reconciler.plans.agreement import AgreedPlan
from reconciler.plans.approval import approval_of
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown, exit_codes
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.plan_summary import totals
from reconciler.render.status_view import formatted
from reconciler.runs import wait
from reconciler.runs.apply import plan_and_apply
from reconciler.runs.apply_loop import ApplyLoop, requests_submitted
from reconciler.runs.wait import PollPolicy, WaitState, wait_until_ended
from reconciler.text.plural import pluralize


@dataclass(frozen=True, kw_only=True)
class WaitResult:
    """The result of waiting."""

    state: WaitState | None = None
    """None if the command did not wait, or waiting failed."""
    outcomes: tuple[Outcome, ...] = ()
    """The outcomes of all rounds."""
    codes: frozenset[ExitCode] = frozenset()


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
    output: Output
    began: float
    """Unix seconds: before anything was read."""
    last_shown: PlannedRun | None = None
    """The plan that was shown last."""
    approved: bool = False
    rounds: int = 0
    """The number of rounds written to stdout so far."""

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
        document = planned.document
        if self._shows_plans:
            output = replace(self.output, comment=None)
            write_plan(self.run.env, document, output, remarks=(*planned.remarks, *then))
        question = f"Apply this on {document.target.host} ({totals(document)})?"
        self.approved = not self.ask or not document.pending or confirmed(question)
        return self.approved and self.interrupted.enter_graceful_shutdown()

    @property
    def _shows_plans(self) -> bool:
        return self.output.form in ("text", "markdown")

    def rest(self, planned: PlannedRun, outcomes: tuple[Outcome, ...], timeout: float | None) -> WaitResult:
        """With `wait`, if the plan was approved, continue until every job has ended or for `timeout` seconds.

        Later rounds retry failed jobs and create held ones.
        """
        if not (self.wait and self.approved):
            return WaitResult(outcomes=outcomes)
        self.interrupted.enter_graceful_shutdown()
        self._report_round(planned, outcomes)

        def report(later: PlannedRun, done: tuple[Outcome, ...]) -> None:
            self._report_round(later, done)
            index_submitted(self.run, self.declared.specs, done)

        approval = approval_of((self.last_shown or planned).plan, self.saved, done=planned.plan)
        rounds = ApplyLoop(
            run=self.run,
            declared=self.declared,
            approval=approval.record_attempts(planned.proposed),
            submitted=requests_submitted(planned.plan, planned.observed, outcomes),
            locked=self._locked,
            report=report,
            outcomes=outcomes,
        )
        policy = PollPolicy(timeout_seconds=timeout)
        try:
            with job_bars(self.run.env) as show:
                state = wait_until_ended(
                    self.run, rounds.run_round, policy, show, lambda: rounds.approval.names_held
                )
        except ReconcilerError as error:
            write_error(self.run.env, error)
            code = ExitCode.PARTIAL if rounds.outcomes else ExitCode.FAILED
            return WaitResult(outcomes=rounds.outcomes, codes=frozenset({code}))
        for refusal in rounds.refusals:
            message = f"held back by {refusal.guard} in a later round: {refusal.message}"
            write_stderr(f"{message}\n  hint: {refusal.hint}")
        wait.log_finished(self.run, state)
        codes = {ExitCode.ATTENTION: not state.all_succeeded, ExitCode.GUARD: bool(rounds.refusals)}
        holds = frozenset(code for code, applies in codes.items() if applies)
        return WaitResult(state=state, outcomes=rounds.outcomes, codes=holds)

    def _report_round(self, planned: PlannedRun, outcomes: Sequence[Outcome]) -> None:
        """Write the outcomes of one round; JSON is one document, at the end."""
        if self.output.form != "json" and outcomes:
            self.rounds += 1
            output = replace(self.output, comment=None)
            write_outcomes(self.run.env, planned.document, outcomes, output, code=ExitCode.OK)

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
        env, output = self.run.env, self.output
        waited = result.state.document(code) if result.state else None
        try:
            if waited and output.form != "json":
                write_stdout(
                    "\n" + formatted(waited, output.form, now=env.now(), everything=output.everything)
                )
            if output.form != "json" and (waited or self.rounds):
                output = replace(output, form="")
            write_outcomes(
                env,
                planned.document,
                result.outcomes,
                output,
                code=code,
                remarks=planned.remarks,
                waited=waited,
            )
        except ReconcilerError as error:
            write_error(env, error)
            return first_that_holds({code, ExitCode.PARTIAL if result.outcomes else ExitCode.FAILED})
        self._report_refusals(planned, "held back" if result.outcomes else "nothing was done")
        return code

    def _report_refusals(self, planned: PlannedRun, done: str) -> None:
        """Report the guards that hold something back, unless the plan on stdout has shown them."""
        seen = self.last_shown.refusals if self.last_shown and self._shows_plans else ()
        unseen = [it for it in planned.refusals if self.approved and it not in seen]
        for first in unseen[:1]:
            also = f" ({len(unseen) - 1} more above)" if len(unseen) > 1 else ""
            write_error(self.run.env, ReconcilerError(f"{done}: {first.message}{also}", hint=first.hint))

    def notify(self, planned: PlannedRun) -> None:
        """Notify `on_end` of work that is complete or held. If another apply holds the lock, that one does it."""
        self.interrupted.enter_graceful_shutdown()
        on_end = self.run.project.settings.on_end
        if not (on_end.command or on_end.webhook) or self.run.env.stop.is_set():
            return
        from reconciler.notifications.deliver import notify
        from reconciler.notifications.due import settled

        with suppress(LockHeldError), self._locked():
            notify(self.run, settled(planned), since=self.began)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.run) if self.wait else nullcontext()


def later_rounds_notice(planned: PlannedRun, saved: PlanDoc | None) -> tuple[str, ...]:
    """Return what a reader should know before approving: what later rounds may submit."""
    held = approval_of(planned.plan, saved).names_held
    waits = "then waits until every job has ended, and retries failed jobs as `retry` in their specs allows"
    specs = [
        it.spec
        for it in planned.plan.decisions
        if it.spec is not None and it.name in held and it.standing is Standing.NO_ROOM
    ]
    if not specs:
        return (waits,)
    requests = sum(spec.requests or 0 for spec in specs)
    later = f"{pluralize(len(specs), 'job')} held by the quota ({pluralize(requests, 'request')})"
    return (f"{waits}; submits {later} once the quota allows it",)


def log_finished(run: RunContext[Writer], outcomes: Sequence[Outcome], code: ExitCode) -> None:
    """Log the numbers of a finished apply."""
    kinds = Counter(type(outcome) for outcome in outcomes)
    run.env.log(
        "apply.finished",
        created=kinds[Created],
        recovered=sum(isinstance(outcome, Created) and outcome.recovered for outcome in outcomes),
        cancelled=kinds[Cancelled],
        failed=kinds[Failed],
        unknown=kinds[Unknown],
        skipped=kinds[Skipped],
        exit_code=int(code),
        elapsed_ms=round((run.env.monotonic() - run.began) * 1000),
    )

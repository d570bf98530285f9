"""`apply --wait`: the rounds after the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.api.client import Writer
from reconciler.cli.output.errors import write_error
from reconciler.cli.output.job_bars import job_bars
from reconciler.cli.output.plan_output import write_outcomes
from reconciler.cli.output.status_output import formatted, wait_doc
from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params.options import Output
from reconciler.cli.session.session import locked
from reconciler.context import RunContext
from reconciler.documents.reports import ApplyDoc, pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.model import Declared
from reconciler.outputs.submitted import index_submitted
from reconciler.planning.actions import Plan
from reconciler.plans.approval import approval_of
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.outcome_view import outcome_doc
from reconciler.runs.apply_loop import ApplyLoop, requests_submitted
from reconciler.runs.wait import PollPolicy, WaitState, log_finished, wait_until_ended
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
class RoundReporter:
    """Writes the rounds to stdout: each when it is done, or one JSON document at the end."""

    env: Environment
    output: Output
    rounds: int = 0
    """The number of rounds written so far."""

    def round(self, planned: PlannedRun, outcomes: Sequence[Outcome]) -> None:
        """Write the outcomes of one round."""
        if self.output.form == "json" or not outcomes:
            return
        self.rounds += 1
        output = replace(self.output, comment=None)
        write_outcomes(self.env, planned.document, outcomes, output, code=ExitCode.OK)

    def end(self, planned: PlannedRun, outcomes: Sequence[Outcome], state: WaitState, code: ExitCode) -> None:
        """Write the final state of all jobs."""
        report = wait_doc(state, code)
        if self.output.form != "json":
            write_stdout("\n" + formatted(report, self.output, now=self.env.now()))
            return
        documents = tuple(map(outcome_doc, outcomes))
        write_stdout(
            pretty(ApplyDoc(plan=planned.document, outcomes=documents, exit_code=int(code), waited=report))
        )


def later_rounds_notice(planned: PlannedRun, saved: PlanDoc | None) -> tuple[str, ...]:
    """Return what a reader should know before approving: what later rounds may submit."""
    held = approval_of(planned.plan, saved).names_held
    waits = "then waits until every job has ended, and retries failed jobs as `retry` in their specs allows"
    if not held:
        return (waits,)
    requests = sum(
        it.spec.requests or 0 for it in planned.plan.decisions if it.name in held and it.spec is not None
    )
    later = f"{pluralize(len(held), 'job')} held by the quota ({pluralize(requests, 'request')})"
    return (f"{waits}; submits {later} once the quota allows it",)


def follow(
    run: RunContext[Writer],
    declared: Declared,
    *,
    approved: Plan,
    first: tuple[PlannedRun, tuple[Outcome, ...]],
    saved: PlanDoc | None,
    reporter: RoundReporter,
    timeout: float | None,
) -> WaitResult:
    """Wait, retry failed jobs and create held ones, until nothing is left to do.

    Args:
        run: a run without a deadline.
        declared: the specs, as first read.
        approved: the plan that was shown and approved.
        first: the plan and the outcomes of the first round.
        saved: the plan file, if one was applied.
        reporter: receives each round.
        timeout: seconds; None for no limit.
    """
    planned, outcomes = first

    def report(later: PlannedRun, done: tuple[Outcome, ...]) -> None:
        reporter.round(later, done)
        index_submitted(run, declared.specs, done)

    rounds = ApplyLoop(
        run=run,
        declared=declared,
        approval=approval_of(approved, saved, done=planned.plan).record_attempts(planned.proposed),
        submitted=requests_submitted(planned.plan, outcomes),
        locked=lambda: locked(run),
        report=report,
        outcomes=outcomes,
    )
    policy = PollPolicy(timeout_seconds=timeout)
    state = None
    try:
        with job_bars(run.env) as show:
            state = wait_until_ended(run, rounds.run_round, policy, show, lambda: rounds.approval.names_held)
    except ReconcilerError as error:
        write_error(run.env, error)
        code = ExitCode.PARTIAL if rounds.outcomes else ExitCode.FAILED
        return WaitResult(outcomes=rounds.outcomes, codes=frozenset({code}))
    for refusal in rounds.refusals:
        write_stderr(
            f"held back by {refusal.guard} in a later round: {refusal.message}\n  hint: {refusal.hint}"
        )
    log_finished(run, state)
    codes = (set() if state.all_succeeded else {ExitCode.ATTENTION}) | (
        {ExitCode.GUARD} if rounds.refusals else set()
    )
    return WaitResult(state=state, outcomes=rounds.outcomes, codes=frozenset(codes))

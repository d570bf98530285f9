"""`apply --wait`: what comes after the first round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.api.client import Writer
from reconciler.cli.output.confirmation import Shape
from reconciler.cli.output.job_bars import job_bars
from reconciler.cli.output.plan_output import tell_outcomes
from reconciler.cli.output.streams import aside, say
from reconciler.cli.output.wait_output import wait_doc, write
from reconciler.cli.session.session import locked
from reconciler.cli.session.wait_events import log_finished
from reconciler.context import Run
from reconciler.documents.reports import ApplyDoc, pretty
from reconciler.environment import World
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.model import Declared
from reconciler.planning.actions import Plan
from reconciler.plans.approval import agreed_to
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.plans.planned_run import Situation
from reconciler.render.outcome_view import outcome_doc
from reconciler.runs.apply_loop import Rounds, requests_of
from reconciler.runs.wait import Patience, View, until_ended
from reconciler.text.plural import count


@dataclass(frozen=True, kw_only=True)
class End:
    """What came of the waiting."""

    view: View | None = None
    """None where nothing was waited for, or where waiting broke off."""
    outcomes: tuple[Outcome, ...] = ()
    """Of all rounds."""
    codes: frozenset[ExitCode] = frozenset()


@dataclass(kw_only=True)
class Shown:
    """What stdout gets of the rounds: each as it is done, or one JSON document in the end."""

    world: World
    shape: Shape
    rounds: int = 0
    """How many have been written."""

    def round(self, situation: Situation, outcomes: Sequence[Outcome]) -> None:
        """Write what one round has done."""
        if self.shape.form == "json" or not outcomes:
            return
        self.rounds += 1
        tell_outcomes(
            self.world,
            situation.document,
            outcomes,
            form=self.shape.form,
            code=ExitCode.OK,
            everything=self.shape.everything,
        )

    def end(self, situation: Situation, outcomes: Sequence[Outcome], view: View, code: ExitCode) -> None:
        """Write how everything stood in the end."""
        report = wait_doc(view, code)
        if self.shape.form != "json":
            say("\n")
            write(report, now=self.world.now(), form=self.shape.form, everything=self.shape.everything)
            return
        told = tuple(map(outcome_doc, outcomes))
        say(pretty(ApplyDoc(plan=situation.document, outcomes=told, exit_code=int(code), waited=report)))


def announced(situation: Situation, saved: PlanDoc | None) -> tuple[str, ...]:
    """Return what a reader should know before agreeing: what later rounds may buy."""
    held = agreed_to(situation.plan, saved).names_held
    waits = "then waits for every job, and tries again what fails as far as `retry` in its spec says"
    if not held:
        return (waits,)
    requests = sum(
        it.spec.requests or 0 for it in situation.plan.decisions if it.name in held and it.spec is not None
    )
    later = f"{count(len(held), 'job')} on hold for room ({count(requests, 'request')})"
    return (f"{waits}; buys {later} once there is some",)


def follow(
    run: Run[Writer],
    declared: Declared,
    *,
    agreed: Plan,
    first: tuple[Situation, tuple[Outcome, ...]],
    saved: PlanDoc | None,
    shown: Shown,
    timeout: float | None,
) -> End:
    """Wait, and go on with retries and what was held up, until nothing is left to do.

    Args:
        run: opened to last.
        declared: what git said in the first place.
        agreed: what was shown and agreed to.
        first: the first round, and what came of it.
        saved: the plan file, where one was applied.
        shown: gets each round.
        timeout: seconds.
    """
    situation, outcomes = first
    rounds = Rounds(
        run=run,
        declared=declared,
        agreement=agreed_to(agreed, saved, done=situation.plan),
        bought=requests_of(situation.plan),
        locked=lambda: locked(run),
        tell=shown.round,
        outcomes=outcomes,
    )
    patience = Patience(timeout_seconds=timeout)
    view = None
    try:
        with job_bars(run.world) as show:
            view = until_ended(run, rounds.look, patience, show, lambda: rounds.agreement.names_held)
    except ReconcilerError as error:
        from reconciler.cli.output.errors import told

        aside(told(error, colour=run.world.colour("stderr")))
        code = ExitCode.PARTIAL if rounds.outcomes else ExitCode.FAILED
        return End(outcomes=rounds.outcomes, codes=frozenset({code}))
    for refusal in rounds.refusals:
        aside(f"refused by {refusal.guard} in a later round: {refusal.message}\n  hint: {refusal.hint}")
    log_finished(run, view)
    codes = frozenset() if view.well else frozenset({ExitCode.ATTENTION})
    return End(view=view, outcomes=rounds.outcomes, codes=codes)

"""One apply, step by step: agreed to, done, gone on with, told. `reconciler apply` says which and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from reconciler.api.client import Writer
from reconciler.cli.output.confirmation import show_and_ask
from reconciler.cli.output.plan_output import tell_outcomes
from reconciler.cli.output.streams import aside
from reconciler.cli.session.apply_wait import End, Shown, announced, follow
from reconciler.cli.session.notify import tell_ends
from reconciler.cli.session.session import locked
from reconciler.cli.session.signals import Interrupts, signal_name
from reconciler.context import Run
from reconciler.errors import ExitCode, GuardError, ReconcilerError, first_that_holds
from reconciler.ledger.lock import HeldError
from reconciler.model import Declared
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown, exit_codes
from reconciler.plans.planned_run import Situation
from reconciler.runs import reconcile


@dataclass(kw_only=True)
class Applying:
    """One apply on its way."""

    run: Run[Writer]
    """It holds the lock, or, where this waits, takes it for each round."""
    interrupted: Interrupts
    declared: Declared
    """What git said."""
    saved: PlanDoc | None
    """The plan file that is applied."""
    ask: bool
    """Whether a person is asked."""
    wait: bool
    """Whether it goes on until every job has ended."""
    shown: Shown
    began: float
    """Unix seconds: before anything was read."""
    seen: Situation | None = None
    """What was last shown."""
    agreed: bool = False

    def first(self) -> tuple[Situation, tuple[Outcome, ...]]:
        """Decide, show, ask, do.

        Raises:
            GuardError: a guard refuses. What has ended has ended, whatever the plan, and is told.
        """
        try:
            with self._locked():
                return reconcile.apply(self.run, self.declared, self._agree, saved=self.saved)
        except GuardError:
            if self.seen is not None:
                self.tell_ends(self.seen)
            raise

    def _agree(self, situation: Situation) -> bool:
        self.seen = situation
        then = announced(situation, self.saved) if self.wait else ()
        self.agreed = show_and_ask(self.run.world, situation, self.shown.shape, ask=self.ask, then=then)
        return self.agreed and self.interrupted.be_careful()

    def rest(self, situation: Situation, outcomes: tuple[Outcome, ...], timeout: float | None) -> End:
        """Go on, where that was asked for and agreed to, until every job has ended, or for so many seconds."""
        if not (self.wait and self.agreed):
            return End(outcomes=outcomes)
        self.interrupted.be_careful()
        self.shown.round(situation, outcomes)
        return follow(
            self.run,
            self.declared,
            agreed=(self.seen or situation).plan,
            first=(situation, outcomes),
            saved=self.saved,
            shown=self.shown,
            timeout=timeout,
        )

    def code(self, situation: Situation, end: End, *, fail_on_attention: bool) -> ExitCode:
        """Return how the command ends, and log it."""
        holds = exit_codes(end.outcomes) | self.interrupted.codes | end.codes
        for heard in sorted(self.interrupted.codes):
            self.run.world.log("run.interrupted", signal=signal_name(heard))
        if fail_on_attention and situation.plan.attention:
            holds.add(ExitCode.ATTENTION)
        code = first_that_holds(holds)
        if end.outcomes:
            log_finished(self.run, end.outcomes, code)
        return code

    def tell(self, situation: Situation, end: End, code: ExitCode) -> ExitCode:
        """Say what was done; return how the command ends where even that fails: what was done is done."""
        try:
            if end.view is not None:
                self.shown.end(situation, end.outcomes, end.view, code)
            told_already = end.view is not None or self.shown.rounds
            tell_outcomes(
                self.run.world,
                situation.document,
                end.outcomes,
                form="" if told_already else self.shown.shape.form,
                code=code,
                everything=self.shown.shape.everything,
                comment=self.shown.shape.comment,
                told=situation.told,
            )
        except ReconcilerError as error:
            from reconciler.cli.output.errors import told

            aside(told(error, colour=self.run.world.colour("stderr")))
            return first_that_holds({code, ExitCode.PARTIAL if end.outcomes else ExitCode.FAILED})
        return code

    def tell_ends(self, situation: Situation) -> None:
        """Tell the ends of jobs to `on_end`; where another apply holds the lock, that one tells them."""
        self.interrupted.be_careful()
        with suppress(HeldError), self._locked():
            tell_ends(self.run, situation.observed.ours, since=self.began)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.run) if self.wait else nullcontext()


def log_finished(run: Run[Writer], outcomes: Sequence[Outcome], code: ExitCode) -> None:
    """Tell the end of an apply in numbers."""
    kinds = Counter(type(outcome) for outcome in outcomes)
    world = run.world
    world.log(
        "apply.finished",
        created=kinds[Created],
        adopted=sum(isinstance(outcome, Created) and outcome.adopted for outcome in outcomes),
        cancelled=kinds[Cancelled],
        failed=kinds[Failed],
        unknown=kinds[Unknown],
        skipped=kinds[Skipped],
        exit_code=int(code),
        elapsed_ms=round((world.monotonic() - run.began) * 1000),
    )

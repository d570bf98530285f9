"""The peaceful end: faults stop, and from then on everything must come to rest, explained and on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.actions import Hold, Keep, Reason
from reconciler.ledger.lines import CancelEnded, Created, CreateIntended, Ended
from reconciler.ledger.telling import told
from reconciler.model import JobSpec, Phase, RunKey
from reconciler.outcomes import Cancelled, Failed, Skipped
from reconciler.outcomes import Created as Was
from reconciler.sandbox.lifecycle import Status
from reconciler.situation import Situation
from tests.simulation.history import PROJECT, Bought
from tests.simulation.machines import Luck
from tests.simulation.process import START
from tests.simulation.server import FAILED, LIVE

if TYPE_CHECKING:
    from tests.simulation.machines import Runner
    from tests.simulation.stage import Stage


@dataclass(frozen=True)
class End:
    """How things stand once faults have stopped, as one runner sees them."""

    stage: Stage
    situation: Situation


Promise: TypeAlias = Callable[[End], Iterator[str]]

LONG: Final = 60 * 24 * 3600.0
"""By then every job has ended, and every create has settled."""
ROUNDS: Final = 12
"""So many applies are enough for anything: three attempts each, in turn, and what each waits for."""


def end_in_peace(stage: Stage) -> None:
    """Let faults stop, and hold the tool to what it promises then."""
    schedule = stage.schedule
    late = schedule.delays.late + schedule.delays.timeout + schedule.climate.lag
    stage.baton.sleep(300.0 + late)  # 300: the last person has interfered by then
    stage.workspace.peaceful = True
    situation = _apply(stage, stage.runners[0])
    if situation:
        stage.history.ask([at_most_one_live_after_the_next_apply], End(stage, situation), "in peace")
    situations: list[Situation] = []
    for _ in range(ROUNDS):
        stage.baton.sleep(LONG)
        found = [_apply(stage, runner) for runner in stage.runners]
        situations = [situation for situation in found if situation]
        if not any(situation.plan.pending for situation in situations):
            break
    for situation in situations:
        stage.history.ask(AT_THE_END, End(stage, situation), "in the end")


def _apply(stage: Stage, runner: Runner) -> Situation | None:
    newest = len(stage.git.commits) - 1
    situation = stage.apply(runner, newest, Luck())
    if situation is None:
        stage.history.violated("converges", f"an apply in peace ended so: {stage.history.runs[-1].ended}")
    return situation


def _live(stage: Stage, jobs: list[Bought]) -> list[Bought]:
    return [job for job in jobs if stage.server.status(job.id) in LIVE]


UNTOUCHABLE: Final = frozenset({Reason.UNREADABLE, Reason.NEWER_TOOL, Reason.UNKNOWN_STATUS})
"""Reasons to do nothing about any job of a name."""


def at_most_one_live_after_the_next_apply(end: End) -> Iterator[str]:
    """Whatever happened, and whoever ran: after one apply in peace at most one job of a declared work is live, unless
    the whole name is on hold.
    """  # noqa: D205 - one sentence
    for decision in end.situation.plan.decisions:
        if decision.spec is None or any(hold.reason in UNTOUCHABLE for hold in decision.of(Hold)):
            continue
        live = _live(end.stage, end.stage.history.of(decision.spec.run_key))
        if len(live) > 1 and not any(job.altered for job in live):
            yield f"{decision.name}: {', '.join(job.id[:8] for job in live)} live"


def converges(end: End) -> Iterator[str]:
    """Once faults have stopped, a bounded number of applies leaves nothing to be done."""
    if end.situation.plan.pending:
        yield f"{ROUNDS} applies were not enough"


TEMPORARY: Final = frozenset(
    {Reason.UNSETTLED, Reason.STOPPING, Reason.WAITING, Reason.UNKNOWN_STATUS, Reason.RUNNING}
)


def every_spec_has_its_job_or_a_hold(end: End) -> Iterator[str]:
    """In the end every declared spec has a job that succeeded, or a hold that says why not; none is forgotten."""
    decided = {decision.name: decision for decision in end.situation.plan.decisions}
    for spec in end.situation.declared.specs:
        decision = decided.get(spec.name)
        said = [it for it in decision.actions if isinstance(it, Keep | Hold)] if decision else []
        if not said:
            yield f"{spec.name} is forgotten"
        for it in said:
            if it.reason in TEMPORARY or (it.reason is Reason.QUOTA and not it.attention):
                yield f"{spec.name} is {it.reason} for ever"


def every_hold_is_explained(end: End) -> Iterator[str]:
    """What is held back in the end has a cause in the workspace: nobody is sent to look for nothing."""
    people = any(job.person_at is not None for job in end.stage.history.jobs.values())
    cancelled = people or any(job.cancels for job in end.stage.history.jobs.values())
    causes = {
        Reason.CANCELLED: people if end.stage.setup.keeps_all else cancelled,
        Reason.RECORD_GONE: any(job.deleted_at is not None for job in end.stage.history.jobs.values()),
        Reason.UNREADABLE: any(job.altered for job in end.stage.history.jobs.values()),
        Reason.NEWER_TOOL: any(job.altered for job in end.stage.history.jobs.values()),
        Reason.OTHER_HISTORY: False,
    }
    for decision in end.situation.plan.decisions:
        for hold in decision.of(Hold):
            if not causes.get(hold.reason, True):
                yield f"{decision.name} is held as {hold.reason}: {hold.detail}"
            if hold.reason is Reason.NOT_ADOPTED and not _something_wrong(end, decision.name):
                yield f"{decision.name} is held as {hold.reason}: {hold.detail}"
            if hold.reason is Reason.FAILED and decision.spec:
                yield from _not_failed_enough(end, decision.spec, decision.name)


def _something_wrong(end: End, name: str) -> bool:
    """Whether a job that a spec adopts for the work of `name` is gone, not made by hand, or did other work."""
    specs = end.situation.declared.specs
    wanted = next(spec for spec in specs if spec.name == name)
    for adopt in (spec.adopt for spec in specs if spec.adopt):
        if RunKey(adopt.work, "") in wanted.run_keys:
            job = end.stage.history.jobs.get(adopt.job)
            if job is None or job.deleted_at is not None or job.work != adopt.work:
                return True
    return False


def _not_failed_enough(end: End, spec: JobSpec, name: str) -> Iterator[str]:
    """A spec is held as failed where no attempt is left, or where its failure is none that it wants repeated."""
    history, server = end.stage.history, end.stage.server
    adopts = [it.adopt for it in end.situation.declared.specs if it.adopt]
    adopted = {it.job for it in adopts if RunKey(it.work, "") in spec.run_keys}
    jobs = [
        *history.of(spec.run_key),
        *(job for job in history.jobs.values() if job.work and job.id in adopted),
    ]
    ends = [(job, job.ended_as if job.deleted_at else server.status(job.id)) for job in jobs]
    failed = [(job, how) for job, how in ends if how in FAILED]
    spent = max((len(failed), *(job.attempt for job, _ in failed)))
    phases = {Phase.FAILED if how is Status.FAILED else Phase.TIMED_OUT for _, how in failed}
    if spent < spec.retry.max_attempts and phases <= spec.retry.on:
        yield f"{name} is held as failed after {spent} of {spec.retry.max_attempts} attempts"


def every_accepted_write_has_its_outcome(end: End) -> Iterator[str]:
    """In the end the ledger says of every create that it was made, and of every cancel what came of it.

    The former where creates keep the bounds: one that takes effect after its settle time was written down as refused.
    The latter not where a clone is thrown away before it could push: only the intents of creates are pushed first.
    """
    if not end.stage.setup.remembers:
        return
    lines = list(end.stage.remote.lines())
    for runner in end.stage.runners:
        lines += runner.disk.lines()
    made = {line.op for line in lines if isinstance(line, Created)}
    ended = {line.job_id for line in lines if isinstance(line, Ended | CancelEnded)}
    for job in end.stage.history.jobs.values():
        if job.by is None or job.altered or job.deleted_at is not None:
            continue
        if job.op not in made and end.stage.schedule.bounds:
            yield f"nobody knows that {job.id[:8]} ({job.name}) was made"
        if job.cancels and job.id not in ended and end.stage.setup.keeps_all:
            yield f"nobody knows what came of the cancel of {job.id[:8]} ({job.name})"


def every_end_is_told(end: End) -> Iterator[str]:
    """In the end somebody has heard of the end of every job that was bought after telling began, as a ledger says."""
    stage = end.stage
    for runner in stage.runners if stage.schedule.on_end and stage.setup.remembers else ():
        since = told([*runner.disk.lines(), *stage.remote.lines()]).since
        for job in stage.history.jobs.values():
            there = job.project == PROJECT and not job.altered and job.deleted_at is None
            if (
                there
                and since is not None
                and START + job.at > since + 1
                and job.id not in stage.history.told
            ):
                yield f"nobody has heard of the end of {job.id[:8]} ({job.name})"


def what_a_run_says_is_true(end: End) -> Iterator[str]:
    """A summary is right: what was created exists, what failed or was skipped does not, what was cancelled stops.

    A job whose record somebody deleted while the run still looked for it leaves no trace of itself.
    """
    history, server = end.stage.history, end.stage.server
    for run in history.runs:
        for said, outcome in ((it, outcome) for it in run.said for outcome in it.outcomes):
            match outcome:
                case Was():
                    made_it = history.jobs.get(outcome.job.id)
                    wrong = made_it is None or made_it.op != outcome.op
                case Failed(action="create", job=None) | Skipped(action="create"):
                    ops = {
                        it.op
                        for it in said.wrote
                        if isinstance(it, CreateIntended) and it.name == outcome.name
                    }
                    made = (job for job in history.jobs.values() if job.op in ops)
                    wrong = history.bounds and any(
                        job.deleted_at is None or job.deleted_at > run.over for job in made
                    )
                case Cancelled():
                    wrong = server.was_live_at(outcome.job.id, run.over)
                case _:
                    wrong = False
            if wrong:
                yield f"{run.name} says {type(outcome).__name__} of {outcome.name}"


AT_THE_END: Final[tuple[Promise, ...]] = (
    converges,
    every_spec_has_its_job_or_a_hold,
    every_hold_is_explained,
    every_accepted_write_has_its_outcome,
    every_end_is_told,
    what_a_run_says_is_true,
)

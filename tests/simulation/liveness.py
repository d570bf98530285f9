"""The end of a schedule: after the faults stop, all work ends, and every hold and outcome is explained and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.ledger.lines import CancelEnded, CreateConfirmed, CreateIntended, Ended, NotificationsEnabled
from reconciler.model import JobSpec, Phase, RunKey
from reconciler.planning.actions import Hold, Reason
from reconciler.plans.outcomes import Cancelled, Failed, Skipped
from reconciler.plans.outcomes import Created as Was
from reconciler.plans.planned_run import PlannedRun
from reconciler.sandbox.lifecycle import Status
from tests.simulation.history import PROJECT, CreatedJob
from tests.simulation.machines import Luck
from tests.simulation.process import START
from tests.simulation.server import FAILED

if TYPE_CHECKING:
    from tests.simulation.machines import Runner
    from tests.simulation.stage import Stage


@dataclass(frozen=True)
class End:
    """How things stand once faults have stopped, as one runner sees them."""

    stage: Stage
    situation: PlannedRun


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
    _apply(stage, stage.runners[0])  # `at_most_one_live_after_the_next_apply` is asked of every apply
    situations: list[PlannedRun] = []
    for _ in range(ROUNDS):
        stage.baton.sleep(LONG)
        found = [_apply(stage, runner) for runner in stage.runners]
        situations = [planned for planned in found if planned]
        if not any(planned.plan.pending for planned in situations):
            break
    for planned in situations:
        stage.history.ask(AT_THE_END, End(stage, planned), "in the end")


def _apply(stage: Stage, runner: Runner) -> PlannedRun | None:
    newest = len(stage.git.commits) - 1
    planned = stage.apply(runner, newest, Luck())
    if planned is None:
        stage.history.violated("converges", f"an apply in peace ended so: {stage.history.runs[-1].ended}")
    return planned


def converges(end: End) -> Iterator[str]:
    """Once faults have stopped, a bounded number of applies leaves nothing to be done."""
    if end.situation.plan.pending:
        yield f"{ROUNDS} applies were not enough"


TEMPORARY: Final = frozenset(
    {
        Reason.UNSETTLED,
        Reason.STOPPING,
        Reason.WAITING,
        Reason.UNKNOWN_STATUS,
        Reason.RUNNING,
        Reason.OTHER_ROOT,
    }
)


def every_spec_has_its_job_or_a_hold(end: End) -> Iterator[str]:
    """In the end every declared spec has a job that succeeded, or a hold that says why not; none is forgotten."""
    decided = {decision.name: decision for decision in end.situation.plan.decisions}
    for spec in end.situation.declared.specs:
        decision = decided.get(spec.name)
        holds = decision.of(Hold) if decision else ()
        if not holds and not any(how is Status.SUCCESS for _, how in _ends(end, spec)):
            yield f"{spec.name} is forgotten"
        for it in holds:
            if it.reason in TEMPORARY or (it.reason is Reason.QUOTA and not it.attention):
                yield f"{spec.name} is {it.reason} for ever"


def _ends(end: End, spec: JobSpec) -> list[tuple[CreatedJob, Status | None]]:
    """Return how the jobs of a spec's work have ended, adopted ones too; of deleted ones, how they stood then."""
    history, server = end.stage.history, end.stage.server
    adopts = (it.adopt for it in end.situation.declared.specs if it.adopt)
    adopted = {it.job for it in adopts if RunKey(it.work, "") in spec.run_keys}
    jobs = [
        *history.of(spec.run_key),
        *(job for job in history.jobs.values() if job.work and job.id in adopted),
    ]
    return [(job, job.ended_as if job.deleted_at is not None else server.status(job.id)) for job in jobs]


def every_hold_is_explained(end: End) -> Iterator[str]:
    """A hold in the last plan has a cause in the workspace, in a job of that very work or name.

    Without a cause its message would send a person to look for nothing.
    """
    for decision in end.situation.plan.decisions:
        spec = decision.spec
        for hold in decision.of(Hold):
            jobs = [job for job in end.stage.history.jobs.values() if _is_of(job, decision.name, spec)]
            lied_about = any(job.id in end.stage.history.forged for job in jobs)  # `rerun` ends such a hold
            match hold.reason:
                case Reason.CANCELLED:
                    explained = any(_stopped_by_a_person(end, job) for job in jobs if job.key in _keys(spec))
                    explained = explained or bool(spec and _adopted_and_stopped(end, spec))
                case Reason.RECORD_GONE:
                    explained = lied_about or any(job.deleted_at is not None for job in jobs)
                case Reason.UNREADABLE | Reason.NEWER_TOOL:
                    explained = any(job.altered for job in jobs)
                case (
                    Reason.OTHER_HISTORY
                    | Reason.CHECKOUT_BEHIND
                    | Reason.UNKNOWN_STATUS
                    | Reason.NOT_AGREED  # a person reads this plan
                ):
                    explained = False
                case Reason.NOT_ADOPTED:
                    explained = _something_wrong(end, decision.name)
                case Reason.PARTIAL:
                    ends = _ends(end, spec) if spec else []
                    answered = end.stage.server.answered
                    early = (*FAILED, Status.CANCELLED)
                    explained = any(how in early and (job.answers or answered(job.id)) for job, how in ends)
                case Reason.SUSPENDED:
                    explained = spec is not None and spec.suspend
                case _:
                    explained = True
            if not explained:
                yield f"{decision.name} is held as {hold.reason}: {hold.detail}"
            if hold.reason is Reason.FAILED and spec and not lied_about:
                yield from _not_failed_enough(end, spec, decision.name)


def _keys(spec: JobSpec | None) -> tuple[RunKey, ...]:
    return tuple(spec.run_keys) if spec else ()


def _is_of(job: CreatedJob, name: str, spec: JobSpec | None) -> bool:
    """Whether a job carries a name, or did the work of its spec under whatever `rerun`."""
    works = {key.work for key in _keys(spec)}
    return job.project == PROJECT and (job.name == name or bool(job.key and job.key.work in works))


def _stopped_by_a_person(end: End, job: CreatedJob) -> bool:
    """Whether a person stopped a job, or may have: no run on record received the answer that its cancel had done so."""
    if job.person_at is not None or not end.stage.setup.keeps_all:
        return job.person_at is not None or bool(job.cancels)
    said = {
        run.name
        for run in end.stage.history.runs
        for line in run.wrote
        if isinstance(line, CancelEnded) and line.job_id == job.id
    }
    return bool(job.cancels) and not job.accepted & said


def _adopted_and_stopped(end: End, spec: JobSpec) -> bool:
    return any(job.work and how is Status.CANCELLED for job, how in _ends(end, spec))


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
    """A spec is held as failed if no attempt is left, or if it does not retry that kind of failure.

    Of several specs with the same work one decides for all.
    """
    ends = _ends(end, spec)
    failed = [(job, how) for job, how in ends if how in FAILED]
    spent = max((len(failed), *(job.attempt for job, _ in failed)))
    phases = {Phase.FAILED if how is Status.FAILED else Phase.TIMED_OUT for _, how in failed}
    alike = (it.retry for it in end.situation.declared.specs if it.run_key == spec.run_key)
    if all(spent < retry.max_attempts and phases <= retry.on for retry in alike):
        yield f"{name} is held as failed after {spent} of {spec.retry.max_attempts} attempts"


def every_accepted_write_has_its_outcome(end: End) -> Iterator[str]:
    """In the end the ledger has the confirmation of every create, and the outcome of every cancel.

    Creates are checked if they keep the bounds: one that takes effect after its settle time is recorded as refused.
    Cancels are checked if every clone lives until it has pushed: only the intents of creates are pushed first.
    """
    if not end.stage.setup.remembers:
        return
    lines = list(end.stage.remote.lines())
    for runner in end.stage.runners:
        lines += runner.disk.lines()
    made = {line.op for line in lines if isinstance(line, CreateConfirmed)}
    ended = {line.job_id for line in lines if isinstance(line, Ended | CancelEnded)}
    for job in end.stage.history.jobs.values():
        if job.by is None or job.altered or job.deleted_at is not None:
            continue
        if job.op not in made and end.stage.schedule.bounds:
            yield f"no ledger says that {job.id[:8]} ({job.name}) was created"
        if job.cancels and job.id not in ended and end.stage.setup.keeps_all:
            yield f"no ledger has the outcome of the cancel of {job.id[:8]} ({job.name})"


def every_end_is_reported(end: End) -> Iterator[str]:
    """In the end a hook has received the end of every job that was created after the ledger enabled notifications."""
    stage = end.stage
    for runner in stage.runners if stage.schedule.on_end and stage.setup.remembers else ():
        lines = [*runner.disk.lines(), *stage.remote.lines()]
        since = min((line.at for line in lines if isinstance(line, NotificationsEnabled)), default=None)
        for job in stage.history.jobs.values():
            there = job.project == PROJECT and not job.altered and job.deleted_at is None
            if (
                there
                and since is not None
                and START + job.at > since + 1
                and job.id not in stage.history.reported
            ):
                yield f"no hook has received the end of {job.id[:8]} ({job.name})"


def what_a_run_says_is_true(end: End) -> Iterator[str]:
    """A summary is right: what was created exists, what failed or was skipped does not, what was cancelled stops.

    A job whose record was deleted while the run still looked for it is exempt: it leaves no trace.
    """
    history, server = end.stage.history, end.stage.server
    for run in history.runs:
        for said, outcome in ((it, outcome) for it in run.reports for outcome in it.outcomes):
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
    every_end_is_reported,
    what_a_run_says_is_true,
)

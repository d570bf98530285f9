"""Names under which no work is wanted."""

from __future__ import annotations

from reconciler.model import Phase
from reconciler.planning.actions import Cancel, Hold, Keep, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.other_work import cancel_or
from reconciler.planning.rules.rule import Actions, rule
from reconciler.planning.standing import Standing


def undeclared(case: Case) -> bool:
    """Whether no spec has the name, and the name can be touched."""
    return case.spec is None and not case.untouchable


@rule(
    Standing.SUSPENDED,
    "suspended",
    "Cancel every ACTIVE job of the name `suspended`, except an adopted one; otherwise Hold `suspended`",
    applies=lambda case: case.spec is not None and case.spec.suspend and not case.untouchable,
)
def suspended(case: Case) -> Actions:
    """The spec stays, and its jobs are cancelled."""
    cancels = tuple(Cancel(owned=owned, reason=Reason.SUSPENDED) for owned in case.to_cancel)
    adopted = next((owned.job for owned in case.active if owned.adopted), None)
    if adopted is not None:
        detail = f"the adopted job {adopted.short_id} continues: only jobs with our tags are cancelled"
        hint = f"to cancel it: reconciler jobs cancel --foreign {adopted.id}"
        return (*cancels, Hold(job=adopted, reason=Reason.SUSPENDED, detail=detail, hint=hint))
    if cancels:
        return cancels
    done = (*(owned.job.id for owned in case.wanted_in(Phase.SUCCEEDED)), *_gone(case))
    if done:
        return (Hold(reason=Reason.SUSPENDED, detail=f"job {done[0][:8]} has succeeded"),)
    return (Hold(reason=Reason.SUSPENDED, hint="set `suspend: false` to let it run"),)


def _gone(case: Case) -> tuple[str, ...]:
    return (case.success_gone.job_id,) if case.success_gone else ()


@rule(
    Standing.REMOVED,
    "not declared, ACTIVE",
    "Cancel `removed`; if the job's tag says keep: Hold `kept`, and of several with the same run key Cancel all but "
    "one `duplicate`",
    applies=lambda case: undeclared(case) and bool(case.active),
)
def removed(case: Case) -> Actions:
    """The spec is gone; the job's tag has the `on_remove` that the spec had."""
    return cancel_or(lambda it: Hold(job=it.job, reason=Reason.KEPT), case, case.active, Reason.REMOVED)


@rule(
    Standing.RENAMED,
    "not declared, not ACTIVE, a declared spec wants the run key of a job with this name",
    "Keep `renamed`: the job belongs to that spec",
    applies=lambda case: undeclared(case) and not case.active and bool(case.moved),
)
def renamed(case: Case) -> Actions:
    """A rename submits nothing and cancels nothing."""
    return tuple(
        Keep(job=owned.job, reason=Reason.RENAMED, detail=f"now {name}") for owned, name in case.moved
    )


@rule(
    Standing.HISTORY,
    "not declared, anything else",
    "nothing: history, never deleted",
    applies=lambda case: undeclared(case) and not case.active and not case.moved,
)
def history(case: Case) -> Actions:
    """An ended job of an undeclared name needs no action."""
    return ()

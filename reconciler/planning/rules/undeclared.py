"""Names of which nothing is wanted."""

from __future__ import annotations

from reconciler.planning.actions import Cancel, Hold, Keep, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.other_work import duplicate
from reconciler.planning.rules.rule import Actions, rule
from reconciler.planning.standing import Standing


def undeclared(case: Case) -> bool:
    """Whether no spec has the name, and the name can be touched."""
    return case.spec is None and not case.untouchable


@rule(
    Standing.SUSPENDED,
    "suspended",
    "Cancel every ACTIVE job of the name `suspended`, less an adopted one; otherwise Hold `suspended`",
    applies=lambda case: case.spec is not None and case.spec.suspend and not case.untouchable,
)
def suspended(case: Case) -> Actions:
    """The spec stays, its work stops."""
    cancels = tuple(Cancel(ours=ours, reason=Reason.SUSPENDED) for ours in case.to_cancel)
    adopted = next((ours.job for ours in case.active if ours.adopted), None)
    if adopted is not None:
        detail = f"the adopted job {adopted.short_id} runs on: only what carries our tags is cancelled"
        hint = f"to stop it: reconciler jobs cancel --foreign {adopted.id}"
        return (*cancels, Hold(job=adopted, reason=Reason.SUSPENDED, detail=detail, hint=hint))
    return cancels or (Hold(reason=Reason.SUSPENDED, hint="set `suspend: false` to let it run"),)


@rule(
    Standing.REMOVED,
    "not declared, ACTIVE",
    "Cancel `removed`; if the job's tag says keep: Hold `kept`, and of several of one run key Cancel all but "
    "one `duplicate`",
    applies=lambda case: undeclared(case) and bool(case.active),
)
def removed(case: Case) -> Actions:
    """The spec is gone; the job's own tag remembers what the spec wanted then."""
    doomed = {ours.job.id for ours in case.to_cancel}
    staying = tuple(ours for ours in case.jobs if ours.job.id not in doomed)
    return tuple(
        Cancel(ours=ours, reason=Reason.REMOVED)
        if ours.job.id in doomed
        else duplicate(ours, staying) or Hold(job=ours.job, reason=Reason.KEPT)
        for ours in case.active
    )


@rule(
    Standing.RENAMED,
    "not declared, not ACTIVE, a declared spec wants the run key of a job with this name",
    "Keep `renamed`: it is that spec's job",
    applies=lambda case: undeclared(case) and not case.active and bool(case.moved),
)
def renamed(case: Case) -> Actions:
    """A rename submits nothing and cancels nothing."""
    return tuple(Keep(job=ours.job, reason=Reason.RENAMED, detail=f"now {name}") for ours, name in case.moved)


@rule(
    Standing.HISTORY,
    "not declared, anything else",
    "nothing: history, never deleted",
    applies=lambda case: undeclared(case) and not case.active and not case.moved,
)
def history(case: Case) -> Actions:  # noqa: ARG001 - a rule
    """What has ended is a record."""
    return ()

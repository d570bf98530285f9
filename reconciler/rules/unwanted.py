"""Step 1: names that want nothing."""

from __future__ import annotations

from reconciler.actions import Cancel, Hold, Keep, Reason
from reconciler.case import Case
from reconciler.model import Phase
from reconciler.rules.other import duplicate, to_cancel
from reconciler.rules.rule import Verdict, rule


@rule(
    "suspended",
    "Cancel every ACTIVE job of the name `suspended`, less an adopted one; otherwise Hold `suspended`",
)
def suspended(case: Case) -> Verdict:
    """The spec stays, its work stops."""
    if case.spec is None or not case.spec.suspend:
        return None
    cancels = tuple(Cancel(ours=ours, reason=Reason.SUSPENDED) for ours in to_cancel(case))
    adopted = next((ours.job for ours in case.phase(Phase.ACTIVE) if ours.adopted), None)
    if adopted is not None:
        detail = f"the adopted job {adopted.short_id} runs on: only what carries our tags is cancelled"
        hint = f"to stop it: reconciler jobs cancel --foreign {adopted.id}"
        return (*cancels, Hold(job=adopted, reason=Reason.SUSPENDED, detail=detail, hint=hint))
    return cancels or (Hold(reason=Reason.SUSPENDED, hint="set `suspend: false` to let it run"),)


@rule(
    "not declared, ACTIVE",
    "Cancel `removed`; if the job's tag says keep: Hold `kept`, and of several of one run key Cancel all but "
    "one `duplicate`",
)
def removed(case: Case) -> Verdict:
    """The spec is gone; the job's own tag remembers what the spec wanted then."""
    if case.spec is not None or not case.phase(Phase.ACTIVE):
        return None
    doomed = {ours.job.id for ours in to_cancel(case)}
    staying = tuple(ours for ours in case.jobs if ours.job.id not in doomed)
    return tuple(
        Cancel(ours=ours, reason=Reason.REMOVED)
        if ours.job.id in doomed
        else duplicate(ours, staying) or Hold(job=ours.job, reason=Reason.KEPT)
        for ours in case.phase(Phase.ACTIVE)
    )


@rule("not declared, its run key is wanted by a declared spec", "Keep `renamed`: it is that spec's job")
def renamed(case: Case) -> Verdict:
    """A rename buys nothing and cancels nothing."""
    if case.spec is not None or not case.moved:
        return None
    return tuple(Keep(job=ours.job, reason=Reason.RENAMED, detail=f"now {name}") for ours, name in case.moved)


@rule("not declared, anything else", "nothing: history, never deleted")
def history(case: Case) -> Verdict:
    """What has ended is a record."""
    return None if case.spec is not None else ()

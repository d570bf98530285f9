"""Step 0: what makes the whole name untouchable."""

from __future__ import annotations

from reconciler.actions import Hold, Reason
from reconciler.case import Case
from reconciler.model import Phase
from reconciler.rules.other import to_cancel
from reconciler.rules.rule import Verdict, rule


@rule("our tags on a job of the name cannot be read", "Hold `unreadable`, for the whole name (attention)")
def unreadable(case: Case) -> Verdict:
    """Somebody altered a job's tags, so what it bought is not known."""
    return _hold_unreadable(
        case, Reason.UNREADABLE, newer=False, hint="look at it with `reconciler jobs get {id}`"
    )


@rule("a newer tool wrote a job of the name", "Hold `newer_tool`, for the whole name (attention)")
def newer_tool(case: Case) -> Verdict:
    """Comparing with what is not understood would buy again what is already bought."""
    return _hold_unreadable(case, Reason.NEWER_TOOL, newer=True, hint="upgrade mistral-batch-reconciler")


def _hold_unreadable(case: Case, reason: Reason, *, newer: bool, hint: str) -> Verdict:
    for job in case.unreadable:
        if job.newer is newer and (case.spec is not None or not job.job.phase.ended):
            hint = hint.format(id=job.job.id)
            return (Hold(job=job.job, reason=reason, detail=job.problem, hint=hint, attention=True),)
    return None


@rule("any job of the name has an unknown status", "Hold `unknown_status`, for the whole name (attention)")
def unknown_status(case: Case) -> Verdict:
    """A status of the future may mean that it runs, or that it is done."""
    job = next((ours.job for ours in case.phase(Phase.UNKNOWN)), None)
    if job is None:
        return None
    detail = f"the API says {job.status}"
    hint = "upgrade mistral-batch-reconciler, or wait until the job has ended"
    return (Hold(job=job, reason=Reason.UNKNOWN_STATUS, detail=detail, hint=hint, attention=True),)


@rule(
    "something to cancel or replace was bought from a commit that is not HEAD or an ancestor",
    "Hold `other_history`, for the whole name",
)
def other_history(case: Case) -> Verdict:
    """This checkout is older than the job, or of another branch: it has no say over it."""
    ours = next(filter(case.foreign_commit, to_cancel(case)), None)
    if ours is None:
        return None
    commit = ours.tags.source.commit[:10]
    if case.lineage is None:
        detail = f"bought from commit {commit}, and this folder is not a git checkout"
    else:
        detail = f"bought from commit {commit}, which this checkout does not contain"
    hint = (
        "update the checkout (in CI: fetch-depth: 0), "
        f"or cancel it by hand: reconciler jobs cancel {ours.job.id}"
    )
    return (Hold(job=ours.job, reason=Reason.OTHER_HISTORY, detail=detail, hint=hint),)

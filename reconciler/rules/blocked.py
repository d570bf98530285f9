"""Names that this run must not touch."""

from __future__ import annotations

from reconciler.actions import Hold, Reason
from reconciler.case import Case
from reconciler.rules.other_work import to_cancel
from reconciler.rules.rule import Actions, rule
from reconciler.standing import Standing


def unknown_tags(case: Case) -> bool:
    """Whether a job of the name has tags that this version cannot read, and that job matters."""
    return bool(case.unreadable_that_matter)


def unknown(case: Case) -> bool:
    """Whether what a job of the name is, or does, is not known."""
    return unknown_tags(case) or bool(case.unknown)


def blocked(case: Case) -> bool:
    """Whether the whole name is held."""
    return unknown(case) or next(filter(case.foreign_commit, to_cancel(case)), None) is not None


@rule(
    Standing.UNREADABLE,
    "our tags on a job of the name cannot be read",
    "Hold `unreadable`, for the whole name (attention)",
    applies=lambda case: any(not it.newer for it in case.unreadable_that_matter),
)
def unreadable(case: Case) -> Actions:
    """Somebody altered a job's tags, so which work it did is not known."""
    job = next(it for it in case.unreadable_that_matter if not it.newer)
    hint = f"look at it with `reconciler jobs get {job.job.id}`"
    return (
        Hold(job=job.job, reason=Reason.UNREADABLE, detail=job.problem, hint=hint, attention=True),
    )


@rule(
    Standing.NEWER_TOOL,
    "a newer tool wrote a job of the name, and the tags of all others can be read",
    "Hold `newer_tool`, for the whole name (attention)",
    applies=lambda case: unknown_tags(case) and all(it.newer for it in case.unreadable_that_matter),
)
def newer_tool(case: Case) -> Actions:
    """A comparison with tags that are not understood would submit again what was submitted already."""
    job = case.unreadable_that_matter[0]
    hint = "upgrade mistral-batch-reconciler"
    return (
        Hold(job=job.job, reason=Reason.NEWER_TOOL, detail=job.problem, hint=hint, attention=True),
    )


@rule(
    Standing.UNKNOWN_STATUS,
    "all tags can be read, and a job of the name has an unknown status",
    "Hold `unknown_status`, for the whole name (attention)",
    applies=lambda case: not unknown_tags(case) and bool(case.unknown),
)
def unknown_status(case: Case) -> Actions:
    """A status that a later API added may mean that the job runs, or that it has ended."""
    job = case.unknown[0].job
    detail = f"the API says {job.status}"
    hint = "upgrade mistral-batch-reconciler, or wait until the job has ended"
    return (Hold(job=job, reason=Reason.UNKNOWN_STATUS, detail=detail, hint=hint, attention=True),)


@rule(
    Standing.OTHER_HISTORY,
    "tags and statuses are known, and something to cancel or replace was submitted from a commit that is not HEAD "
    "or an ancestor",
    "Hold `other_history`, for the whole name",
    applies=lambda case: not unknown(case) and blocked(case),
)
def other_history(case: Case) -> Actions:
    """This checkout is older than the job, or of another branch, so it must not cancel the job."""
    ours = next(filter(case.foreign_commit, to_cancel(case)))
    commit = ours.tags.source.commit[:10]
    if case.lineage is None:
        detail = f"submitted from commit {commit}, and this folder is not a git checkout"
    else:
        detail = f"submitted from commit {commit}, which this checkout does not contain"
    hint = (
        "update the checkout (in CI: fetch-depth: 0), "
        f"or cancel it by hand: reconciler jobs cancel {ours.job.id}"
    )
    return (Hold(job=ours.job, reason=Reason.OTHER_HISTORY, detail=detail, hint=hint),)

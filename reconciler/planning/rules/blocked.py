"""Names that this run must not touch."""

from __future__ import annotations

from reconciler.model import Phase
from reconciler.planning.actions import Hold, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.other_work import duplicate
from reconciler.planning.rules.rule import Actions, rule
from reconciler.planning.standing import Standing


@rule(
    Standing.UNREADABLE,
    "the tags of a job of the name cannot be read",
    "Hold `unreadable`, for the whole name (attention)",
    applies=lambda case: any(not it.from_newer_version for it in case.unreadable_that_matter),
)
def unreadable(case: Case) -> Actions:
    """A job's tags were altered, so its work is not known."""
    job = next(it for it in case.unreadable_that_matter if not it.from_newer_version)
    hint = job.hint or f"look at it with `reconciler jobs get {job.job.id}`"
    return (Hold(job=job.job, reason=Reason.UNREADABLE, detail=job.problem, hint=hint, attention=True),)


@rule(
    Standing.NEWER_TOOL,
    "a newer version of this tool created a job of the name, and no other tags are unreadable",
    "Hold `newer_tool`, for the whole name (attention)",
    applies=lambda case: (
        bool(case.unreadable_that_matter) and all(it.from_newer_version for it in case.unreadable_that_matter)
    ),
)
def newer_tool(case: Case) -> Actions:
    """A comparison with tags that this version cannot read could submit the same work again."""
    job = case.unreadable_that_matter[0]
    hint = "upgrade mistral-batch-reconciler"
    return (Hold(job=job.job, reason=Reason.NEWER_TOOL, detail=job.problem, hint=hint, attention=True),)


@rule(
    Standing.UNKNOWN_STATUS,
    "all tags can be read, and a job of the name has an unknown status",
    "Hold `unknown_status`, for the whole name (attention)",
    applies=lambda case: not case.unreadable_that_matter and bool(case.of_unknown_status),
)
def unknown_status(case: Case) -> Actions:
    """A status that a later API added may mean that the job runs, or that it has ended."""
    job = case.of_unknown_status[0].job
    detail = f"the API reports {job.status}"
    hint = "upgrade mistral-batch-reconciler, or wait until the job has ended"
    return (Hold(job=job, reason=Reason.UNKNOWN_STATUS, detail=detail, hint=hint, attention=True),)


@rule(
    Standing.OTHER_ROOT,
    "all jobs are understood, and this project submitted a job that is ACTIVE or STOPPING from another folder of the "
    "repository",
    "Hold `other_root`, for the whole name (attention); Cancel `duplicate` this folder's jobs of work that another job "
    "does",
    applies=lambda case: (
        bool(case.live_elsewhere) and not case.unreadable_that_matter and not case.of_unknown_status
    ),
)
def other_root(case: Case) -> Actions:
    """Another folder declares the same project, or the folder was moved: only a person knows which."""
    owned = case.live_elsewhere[0]
    folder = owned.tags.source.root or "."
    where = "the repository's root, or outside of git" if folder == "." else folder
    hint = f"give each folder its own `project`; after a move, set `moved_from: [{folder}]`"
    # the owner of shared work decides about its jobs
    active = (it for it in case.own_jobs if it.phase is Phase.ACTIVE)
    ours = (it for it in active if it.job.id not in case.doomed and not case.from_elsewhere(it))
    held = Hold(
        job=owned.job, reason=Reason.OTHER_ROOT, detail=f"submitted from {where}", hint=hint, attention=True
    )
    return (held, *(cancel for it in ours if (cancel := duplicate(case, it))))


@rule(
    Standing.OTHER_HISTORY,
    "all jobs are understood and no live one is from another folder, and something to cancel or replace was created "
    "from a commit that is not HEAD or an ancestor",
    "Hold `other_history`, for the whole name",
    applies=lambda case: (
        case.untouchable
        and not case.unreadable_that_matter
        and not case.of_unknown_status
        and not case.live_elsewhere
    ),
)
def other_history(case: Case) -> Actions:
    """This checkout is older than the job or is another branch, so it must not cancel the job."""
    owned = next(filter(case.foreign_commit, case.to_cancel))
    commit = owned.tags.source.commit[:10]
    if case.declared.ancestry.contained is None:
        detail = f"created from commit {commit}, and this folder is not a git checkout"
    else:
        detail = f"created from commit {commit}, which this checkout does not contain"
    hint = (
        "update the checkout (in CI: fetch-depth: 0), "
        f"or cancel the job yourself: reconciler jobs cancel {owned.job.id}"
    )
    return (Hold(job=owned.job, reason=Reason.OTHER_HISTORY, detail=detail, hint=hint),)

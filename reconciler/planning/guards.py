"""Guards: checks that hold back dangerous actions, with their numbers. Each has its own setting and its own override.

Pure, like the planner. A guard holds back what it counts, whole names at a time, and lets the rest go:

    the workspace shows none of the remembered jobs     every action
    nothing is declared, too many cancels, or too large a share
                                                        every cancel, with the create that replaces the job
    too many lost answers                               the same, of the jobs that have answers
    work that another project has submitted             every create of work that this project has submitted, too
    a checkout that `apply` in the settings excludes    every create; of uncommitted files, the creates that use them
    too many requests, in one plan or in a day          the specs that do not fit (`budgets`)

Cancels are held all at once: if some went, repeated runs would do the rest, some at a time. Duplicates count in no
guard against cancels, and are cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from msgspec.structs import replace

from reconciler.model import Phase
from reconciler.model.declared import not_committed
from reconciler.planning.actions import Create
from reconciler.planning.budgets import budgets
from reconciler.planning.guard_input import GuardInput, Refusal, above
from reconciler.planning.hold_back import hold_back
from reconciler.text.plural import pluralize
from reconciler.text.suggest import some

SHARED_FILES: Final = ("reconciler.yaml", "_defaults.yaml")
"""Files that may concern every spec."""
MIN_CANCELS_FOR_SHARE: Final = 3
"""Fewer cancels than this are never refused for their share."""


def empty(it: GuardInput) -> Refusal | None:
    """Refuse to cancel everything because nothing is declared."""
    if it.settings.allow_empty or it.declared.specs or not it.cancels:
        return None
    return Refusal(
        "empty",
        f"nothing is declared while {it.active:,} of our jobs are active",
        "if everything is to be cancelled, pass --allow-empty, or set guards.allow_empty",
        it.cancelling(),
    )


def cancels(it: GuardInput) -> Refusal | None:
    """Refuse more cancels than a limit."""
    number = len(it.cancels)
    message = f"the plan cancels {pluralize(number, 'job')}"
    return above("max_cancels", number, it.settings.max_cancels, message, it.cancelling())


def cancel_share(it: GuardInput) -> Refusal | None:
    """Refuse to cancel a large share of the active jobs."""
    number, limit = len(it.cancels), it.settings.max_cancel_share
    if number < MIN_CANCELS_FOR_SHARE or number <= it.active * limit:
        return None
    return Refusal(
        "max_cancel_share",
        f"the plan cancels {number:,} of {it.active:,} active jobs, more than {limit:.0%}",
        "pass --max-cancel-share 1, or raise guards.max_cancel_share",
        it.cancelling(),
    )


def lost_answers(it: GuardInput) -> Refusal | None:
    """Refuse to lose more answers of running jobs than a limit."""
    message = f"the plan cancels jobs that have answered {pluralize(it.lost_answers, 'request')}"
    held = it.cancelling(losing=True)
    return above("max_lost_answers", it.lost_answers, it.settings.max_lost_answers, message, held)


def other_workspace(it: GuardInput) -> Refusal | None:
    """Refuse a workspace that shows none of the remembered jobs, unless they are new and the list may lag."""
    memory, observed = it.memory, it.observed
    known, recent = memory.jobs.keys(), memory.recent(observed.read_started_at)
    # With a snapshot, no job was read by its id.
    late = recent - observed.missing_ids if observed.snapshot_taken_at is None else recent
    seen = {job.id for job in observed.our_jobs}
    if it.settings.allow_other_workspace or known <= late or known & seen:
        return None
    shows = "does not show the one job" if len(known) == 1 else f"shows none of the {len(known):,} jobs"
    wait = f"new jobs may show late: run again in {memory.settle_seconds:g} s; " if known <= recent else ""
    return Refusal(
        "other_workspace",
        f"this workspace {shows} that the ledger remembers",
        f"check that the key is of the right workspace; {wait}if the jobs were deleted, "
        "pass --allow-other-workspace, or set guards.allow_other_workspace",
        tuple(decision.name for decision in it.plan.decisions if decision.pending),
    )


def created_elsewhere(it: GuardInput) -> Refusal | None:
    """Refuse work that is live or done under another project: a renamed project would submit everything again.

    Then it refuses all work that this project has submitted, also what failed, or what a person cancelled, there.
    """
    wanted = {key: create.spec for create in it.plan.of(Create) for key in create.spec.run_keys}
    theirs = [other for other in it.observed.other_projects if other.run_key in wanted]
    holding = (Phase.ACTIVE, Phase.SUCCEEDED, Phase.UNKNOWN)
    projects = sorted({other.project for other in theirs if other.job.phase in holding})
    if it.settings.allow_created_elsewhere or not projects:
        return None
    names = sorted({wanted[other.run_key].name for other in theirs if other.project in projects})
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return Refusal(
        "created_elsewhere",
        f"the work of {names[0]}{more} was already submitted under project {', '.join(projects)}",
        "if the project was renamed, undo that in reconciler.yaml; "
        "to submit it here too, pass --allow-created-elsewhere, or set guards.allow_created_elsewhere",
        tuple(names),
    )


def other_branch(it: GuardInput) -> Refusal | None:
    """Refuse to create jobs from a branch that the settings do not name, or from none."""
    branch, globs = it.checkout.branch, it.apply_from.only_from
    named = bool(branch) and any(fnmatchcase(branch, glob) for glob in globs)
    if it.settings.allow_other_branch or not globs or named:
        return None
    of = f"branch {branch}" if branch else "no branch"
    message = f"the checkout is of {of}, and apply.only_from allows {some(globs)}"
    return _from_here("other_branch", message, "merge it, and apply from there", it.creating)


def dirty(it: GuardInput) -> Refusal | None:
    """Refuse to create jobs from files that no commit contains."""
    if it.settings.allow_dirty or not it.apply_from.clean:
        return None
    changed, fix = it.checkout.uncommitted, "commit the files"
    if not it.checkout.commit:
        return _from_here("dirty", "no commit contains the specs", fix, it.creating)
    shared = {path for path in changed if path.rpartition("/")[2] in SHARED_FILES}
    specs = [create.spec for create in it.plan.of(Create)]
    used = {spec.name: shared.union(not_committed(spec.files, changed)) for spec in specs}
    message = f"uncommitted changes in {some(sorted(shared.union(*used.values())))}"
    return _from_here("dirty", message, fix, tuple(name for name, files in used.items() if files))


def unpushed(it: GuardInput) -> Refusal | None:
    """Refuse to create jobs from a commit that only this clone has."""
    if it.settings.allow_unpushed or not it.apply_from.pushed or it.checkout.pushed:
        return None
    commit = it.checkout.commit[:7] or "of the specs"
    message = f"no remote-tracking branch contains the commit {commit}"
    return _from_here("unpushed", message, "push it (or fetch, if the remote has it)", it.creating)


def _from_here(guard: str, message: str, fix: str, held: tuple[str, ...]) -> Refusal | None:
    hint = f"{fix}, or pass --allow-{guard.replace('_', '-')}, or set guards.allow_{guard}"
    return Refusal(guard, message, hint, held) if held else None


_Guards: TypeAlias = tuple[Callable[[GuardInput], Refusal | None], ...]
_OF_NAMES: Final[_Guards] = (other_workspace, created_elsewhere, other_branch, dirty, unpushed)
"""Guards that refuse a name whatever else is planned."""
GUARDS: Final[_Guards] = (empty, cancels, cancel_share, lost_answers, *_OF_NAMES)


def sendable(it: GuardInput) -> set[str]:
    """Return the names whose creates no guard refuses, unless the plan is too large."""
    found = (refusal for guard in _OF_NAMES if (refusal := guard(it)))
    return set(it.creating).difference(*(refusal.held for refusal in found))


def refusals(it: GuardInput) -> tuple[Refusal, ...]:
    """Return every guard's refusal; none if the plan would write nothing."""
    if not it.plan.pending:
        return ()
    found = [refusal for guard in GUARDS if (refusal := guard(it))]
    return (*found, *budgets(replace(it, plan=hold_back(it.plan, found))))
